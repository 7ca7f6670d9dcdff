"""Alembic's migrations of the ledger, run by `hookline ledger migrate`."""
