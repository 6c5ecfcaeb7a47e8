"""What all care of a dataset begins with: the dataset itself, and nobody else at it."""

from collections.abc import Generator
from contextlib import contextmanager, suppress
from uuid import UUID

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from catalog.errors import CatalogError, NotFound
from catalog.models import Dataset

PATIENCE_MS = 2000
LOCK_NOT_AVAILABLE = "55P03"


class Busy(CatalogError):  # noqa: N818 - it names an answer, not a fault
    """Another process takes care of the dataset at this moment."""


def dataset_of(session: Session, dataset_id: UUID) -> Dataset:
    """Return a dataset.

    Raises
    ------
    NotFound
        There is none.
    """
    dataset = session.get(Dataset, dataset_id)
    if dataset is None:
        raise NotFound(f"No dataset {dataset_id}.")
    return dataset


@contextmanager
def alone(engine: Engine, dataset_id: UUID) -> Generator[None]:
    """Keep other processes from copying, verifying or purging a dataset meanwhile.

    The lock belongs to a connection of its own, so it ends with this process; the database notices
    that a moment later, for which the next one waits.

    Raises
    ------
    Busy
        One does so already.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        _take(connection, dataset_id)
        try:
            yield
        finally:
            # A connection that broke meanwhile has given the lock back by itself.
            with suppress(OperationalError):
                connection.execute(text("SELECT pg_advisory_unlock_all()"))


def _take(connection: Connection, dataset_id: UUID) -> None:
    connection.execute(text(f"SET lock_timeout = {PATIENCE_MS}"))
    key = {"key": f"custody {dataset_id}"}
    try:
        connection.execute(text("SELECT pg_advisory_lock(hashtextextended(:key, 0))"), key)
    except OperationalError as error:
        if getattr(error.orig, "pgcode", None) != LOCK_NOT_AVAILABLE:
            raise
        raise Busy(
            f"Another process copies, verifies or purges {dataset_id} now: wait for it to end."
        ) from None
    finally:
        connection.execute(text("SET lock_timeout = DEFAULT"))
