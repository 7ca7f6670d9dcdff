"""The ledger: a history of what was settled, in a database that people can search.

Nothing here is imported unless HOOKLINE_LEDGER_URL is set, but for `settings` and `url`: SQLAlchemy is not for free.
"""
