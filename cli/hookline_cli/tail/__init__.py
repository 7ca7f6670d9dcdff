"""`hookline tail`: events as they are accepted, settled or dead-lettered."""
