"""Connecting to the catalogue."""

import os
from typing import Any

from sqlalchemy import Engine, create_engine, make_url

from catalog.errors import CatalogError
from catalog.plain import to_json

# A lock for with_for_update that leaves foreign keys free to point at the row.
LOCK = {"key_share": True}
DSN_VARIABLE = "DAYSEYE_CATALOG_DSN"


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
        One that speaks UTC and notices a connection that a restart of the database has cut.
    """
    return create_engine(
        make_url(dsn).set(drivername="postgresql+psycopg2"),
        pool_pre_ping=True,
        json_serializer=to_json,
        connect_args={
            "application_name": application_name,
            "options": "-c timezone=UTC",
            "connect_timeout": 10,
        },
        **options,
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
