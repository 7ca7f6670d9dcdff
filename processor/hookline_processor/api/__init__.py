"""The public API: registering handlers, middleware, and start-up and shut-down hooks."""
