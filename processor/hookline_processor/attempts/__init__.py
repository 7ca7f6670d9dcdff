"""One attempt at one event: time-outs, threads, log lines and spans."""
