"""The machine, the processes that the benchmark starts, and its Redis servers."""
