"""How much memory of Redis dedupe marks take, and how much of its time appending takes: `python -m bench.marks`."""
