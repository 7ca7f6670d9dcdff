"""The sender: carries out the messages in the outbox, each once. `docs/replies.md` has the states."""
