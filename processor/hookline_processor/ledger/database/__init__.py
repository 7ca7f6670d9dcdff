"""The ledger's database: engine, schema, migrations, statements and errors."""
