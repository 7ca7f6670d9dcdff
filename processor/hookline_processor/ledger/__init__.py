"""The ledger: the searchable history of settled events, in a database.

Without HOOKLINE_LEDGER_URL only `settings`, `url` and `body_policy` are imported, because SQLAlchemy costs time and memory.
"""
