"""What the acceptance tests are made with."""
