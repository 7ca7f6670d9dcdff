"""How fast a backlog is worked off: by the processor, and by what people would use instead."""
