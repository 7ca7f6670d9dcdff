"""What tests are made with: real servers and processes, signed webhooks, and a clock that is turned by hand."""
