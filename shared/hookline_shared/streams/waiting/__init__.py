"""What waits in Redis: the waiting index, what operators do with it, and pauses."""
