"""Networks and disks that fail as a test wants."""
