"""Live routes: the answer to Twilio waits for the handler. `docs/answering.md` has the states."""
