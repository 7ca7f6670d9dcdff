"""The sender: carries out the messages in the outbox, each once. `docs/answering.md` has the states."""
