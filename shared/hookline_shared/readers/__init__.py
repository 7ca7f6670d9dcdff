"""Who reads the streams: what processors publish about themselves, and which streams nobody reads."""
