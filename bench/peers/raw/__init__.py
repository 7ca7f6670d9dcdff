"""The bare loop: XREADGROUP, call, XACK, with redis-py and hiredis. What any consumer in Python can at most reach."""
