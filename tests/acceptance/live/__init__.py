"""Live calls and forwards while everything is killed in turn, and what they cost."""
