"""Whether Prefect's database is one that the Prefect here can bring up to date."""

from pathlib import Path

import prefect.server.database
import psycopg2
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import make_url


class PrefectTooNewError(RuntimeError):
    """A later Prefect has migrated this database."""


def refuse_newer(dsn: str) -> None:
    """Leave a database alone that a later Prefect has migrated.

    Prefect itself would end with a message about a revision that it cannot locate.

    Parameters
    ----------
    dsn : str
        Prefect's database, with any PostgreSQL scheme.

    Raises
    ------
    PrefectTooNewError
        The database has a revision that the Prefect here does not know.
    """
    found = _revision(dsn)
    if found is None:
        return
    try:
        known_revisions().get_revision(found)
    except CommandError:
        raise PrefectTooNewError(
            f"Prefect's database was migrated to {found!r} by a later Prefect than the one here. "
            "Install the version of Dayseye that was used last, or use another state folder."
        ) from None


def known_revisions() -> ScriptDirectory:
    """Return the migrations for PostgreSQL that the Prefect here has."""
    folder = Path(prefect.server.database.__file__).parent / "_migrations"
    return ScriptDirectory(str(folder), version_locations=[str(folder / "versions/postgresql")])


def _revision(dsn: str) -> str | None:
    """Return the revision that a database has; None for a new one."""
    address = make_url(dsn).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = psycopg2.connect(address, connect_timeout=10)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass('alembic_version')")
            if cursor.fetchone() == (None,):
                return None
            cursor.execute("SELECT version_num FROM alembic_version")
            row = cursor.fetchone()
            return row[0] if row else None
    finally:
        connection.close()
