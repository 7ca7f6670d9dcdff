"""The load generator: webhooks over keep-alive connections, and the count of the replies."""
