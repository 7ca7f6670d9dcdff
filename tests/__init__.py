"""The tests: `unit` (pure, no Redis), `integration` (one service, real Redis), `acceptance` (both, as processes)."""
