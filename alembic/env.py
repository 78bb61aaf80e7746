"""Runs the migrations for ``wan22 migrate`` and for the alembic command."""

from alembic import context
from sqlmodel import SQLModel

from wan22_app.adapters.db import tables
from wan22_app.adapters.db.engine import create_engine
from wan22_app.settings import Settings

assert tables.JobRow, "importing the tables fills the metadata"


def run() -> None:
    """Upgrade over one connection, in one transaction."""
    url = context.config.attributes.get("url") or Settings().database
    engine = create_engine(url)
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            # Batch mode drops and re-creates tables: a cascade would delete child rows.
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        context.configure(
            connection=connection,
            target_metadata=SQLModel.metadata,
            render_as_batch=True,
            compare_type=True,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()
    engine.dispose()


run()
