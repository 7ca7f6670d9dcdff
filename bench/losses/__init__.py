"""Which jobs are lost when a worker is killed, when jobs raise, and when they are queued before there is a worker."""
