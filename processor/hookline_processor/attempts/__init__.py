"""One attempt at one event: time-outs, threads, retries, breakers, and what is logged of it."""
