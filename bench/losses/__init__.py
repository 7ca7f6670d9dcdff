"""What becomes of jobs when their worker is killed, when they raise, and when they are queued before there is a worker."""
