"""FastStream on Redis Streams, one message per call of the handler."""
