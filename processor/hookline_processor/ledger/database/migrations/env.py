"""What Alembic runs: the migrations, over the connection and in the transaction that it was handed."""

from alembic import context

from hookline_processor.ledger.database import schema

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=schema.metadata,
    version_table=schema.version.name,
)
context.run_migrations()
