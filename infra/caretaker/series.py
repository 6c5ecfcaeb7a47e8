"""Opens the runs of series, as the results of their scans come."""

import logging

from sqlalchemy.orm import Session

from catalog.errors import CatalogError
from catalog.runs.members import served
from catalog.runs.series_runs import due, open_due
from infra.caretaker.job import Care

LOG = logging.getLogger(__name__)


def reduce_series(care: Care) -> None:
    """Open a run for each series that is due, each in a transaction of its own.

    One that cannot be opened is told, and waits for the next result of its scans.
    """
    with Session(care.engine) as session:
        waiting = due(session)
    for series_id in waiting:
        if care.stopped.is_set():
            return
        try:
            with Session(care.engine) as session, session.begin():
                open_due(session, series_id)
        except CatalogError as error:
            LOG.error("The series %s is not reduced: %s", series_id, error)
            with Session(care.engine) as session, session.begin():
                served(session, series_id)
