"""Bring a database to the tables that this version of the code expects."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

from catalog.connection import connect
from catalog.errors import DatabaseTooNew

APPEND_ONLY = (
    "lifecycle_event",
    "step",
    "lineage",
    "verdict",
    "library",
    "library_spectrum",
    "library_retirement",
)
READ_ONLY = ("transition", "alembic_version")
LOCK = 0x6461797365796500  # "dayseye": two migrations at once wait for each other


def migrate(owner_dsn: str, app_role: str | None = "dayseye_app") -> None:
    """Create or upgrade the tables, and grant the application its rights.

    Parameters
    ----------
    owner_dsn : str
        Address of the database as the role that owns the tables.
    app_role : str, optional
        The role of the application, which may not change what is append-only. None where one role
        does all; then triggers alone protect the append-only tables.

    Raises
    ------
    DatabaseTooNew
        A later version of the code has migrated this database.
    """
    engine = connect(owner_dsn, "dayseye-migrate")
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            config = alembic_config(connection)
            _refuse_newer(connection, ScriptDirectory.from_config(config))
            command.upgrade(config, "head")
            if app_role is not None:
                _grant(connection, app_role)
    finally:
        engine.dispose()


def alembic_config(connection: Connection) -> Config:
    """Return Alembic's configuration for an open connection."""
    config = Config(attributes={"connection": connection})
    # Alembic reads % as its own sign in options.
    folder = str(Path(__file__).parent / "migrations")
    config.set_main_option("script_location", folder.replace("%", "%%"))
    return config


def _refuse_newer(connection: Connection, scripts: ScriptDirectory) -> None:
    for revision in MigrationContext.configure(connection).get_current_heads():
        try:
            scripts.get_revision(revision)
        except CommandError:
            raise DatabaseTooNew(
                f"The catalogue was migrated to {revision!r} by a later version of Dayseye; this "
                f"one knows up to {scripts.get_current_head()!r}. Install that version again, or "
                "use another state folder."
            ) from None


def _grant(connection: Connection, role: str) -> None:
    """Give the application what it needs: to read all, and to change what may change."""
    quote = connection.dialect.identifier_preparer.quote
    to = quote(role)
    database = quote(connection.scalar(text("SELECT current_database()")) or "")
    fixed = ", ".join(quote(table) for table in (*APPEND_ONLY, *READ_ONLY))
    written = ", ".join(quote(table) for table in APPEND_ONLY)
    for statement in (
        f"GRANT CONNECT ON DATABASE {database} TO {to}",
        f"GRANT USAGE ON SCHEMA public TO {to}",
        f"GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO {to}",
        f"REVOKE INSERT, UPDATE ON {fixed} FROM {to}",
        f"GRANT INSERT ON {written} TO {to}",
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {to}",
    ):
        connection.execute(text(statement))
