"""The console in a real browser, and what an assistant starts: `make test-browser`."""
