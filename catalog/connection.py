"""Connecting to the catalogue."""

import os
from typing import Any

from psycopg2.errors import IdleInTransactionSessionTimeout
from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import ExceptionContext
from sqlalchemy.exc import OperationalError

from catalog.errors import CatalogError
from catalog.plain import to_json

# A lock for with_for_update that leaves foreign keys free to point at the row.
LOCK = {"key_share": True}
DSN_VARIABLE = "DAYSEYE_CATALOG_DSN"
# A process that hangs in the middle of a transaction would keep its locks for ever, and whoever
# comes to recover its run would wait for them: so long after its last word the database ends it.
IDLE_SECONDS = 45


def connect(dsn: str, application_name: str = "dayseye", **options: Any) -> Engine:
    """Make an engine for a catalogue.

    Parameters
    ----------
    dsn : str
        The address, with any PostgreSQL scheme; psycopg2 is used.
    application_name : str
        The name that the database's own activity view shows.
    **options
        Further options of :func:`sqlalchemy.create_engine`.

    Returns
    -------
    Engine
        One that speaks UTC, notices a connection that a restart of the database has cut, and holds
        no lock for longer than ``IDLE_SECONDS`` after its process has stopped working.
    """
    settings = f"-c timezone=UTC -c idle_in_transaction_session_timeout={IDLE_SECONDS}s"
    engine = create_engine(
        make_url(dsn).set(drivername="postgresql+psycopg2"),
        pool_pre_ping=True,
        json_serializer=to_json,
        connect_args={
            "application_name": application_name,
            "options": settings,
            "connect_timeout": 10,
        },
        **options,
    )
    event.listen(engine, "handle_error", _ended_by_the_database)
    return engine


def _ended_by_the_database(context: ExceptionContext) -> OperationalError | None:
    """Tell a session that was ended for its silence as any other connection that is gone."""
    if not isinstance(context.original_exception, IdleInTransactionSessionTimeout):
        return None
    context.is_disconnect = True
    return OperationalError(
        context.statement,
        context.parameters,
        context.original_exception,
        connection_invalidated=True,
    )


def engine_from_environment(application_name: str = "dayseye") -> Engine:
    """Make an engine for the catalogue that the platform told its child processes about.

    Raises
    ------
    CatalogError
        The platform has told nothing.
    """
    dsn = os.environ.get(DSN_VARIABLE)
    if not dsn:
        raise CatalogError(
            f"The catalogue's address is not known: {DSN_VARIABLE} is not set. It is set for all "
            "that `dayseye up` starts."
        )
    return connect(dsn, application_name)
