"""Owns how migrations find the database: the connection the product hands over, or the Flask app of `flask db`."""

from __future__ import annotations

from alembic import context
from flask import current_app

from wallet_server.records.schema import metadata
from wallet_server.records.schema.columns import stands_on


def run(connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        compare_type=True,
        render_as_batch=False,
        user_module_prefix="",
        include_object=stands_on(connection.dialect.name),
    )
    with context.begin_transaction():
        context.run_migrations()


handed_over = context.config.attributes.get("connection")
if handed_over is not None:
    run(handed_over)
else:
    engine = current_app.extensions["migrate"].db.engine
    with engine.connect() as connection:
        run(connection)
        connection.commit()
