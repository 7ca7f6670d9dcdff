"""Live routes: the answer to Twilio waits for the handler. `docs/live.md` has the states."""
