"""Alembic's entry: migrates the engine that ``runtime.database`` hands over."""

from alembic import context

from runtime.records.schema import metadata

_engine = context.config.attributes["engine"]
with _engine.connect() as _connection:
    context.configure(connection=_connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
    _connection.commit()
