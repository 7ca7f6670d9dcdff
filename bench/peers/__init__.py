"""The servers that Hookline is measured beside, each a process of its own."""
