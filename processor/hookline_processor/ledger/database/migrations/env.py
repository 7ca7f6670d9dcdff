"""The entry point of Alembic: runs the migrations on the given connection, in its transaction."""

from alembic import context

from hookline_processor.ledger.database import schema

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=schema.metadata,
    version_table=schema.version.name,
)
context.run_migrations()
