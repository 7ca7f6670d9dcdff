"""What a service asks of the operating system: TCP ports, and processes that are forked."""
