"""When a series is reduced: once there is something new, at a pace that costs little.

Its runs take all results of its scans, so that each costs as much as the series is large. Two
measures keep them few. The worker is left alone for twice as long as the last run took, and for
5 s at least. And the rows of lineage that all runs together write stay proportional to scans and
time: where less than 5 % of the results are new, 0.06 s pass for each that went into the last run,
10 minutes at most. When the scans stop, what is left over is reduced after that pause.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, true
from sqlalchemy.orm import Session

from catalog import recipes
from catalog.models import Beamline, Dataset, FlowSchema, Run, Series
from catalog.runs.members import has_results, lock, served
from catalog.runs.opening import current_run, open_run, reducible
from catalog.states import DatasetState, Lane, RunState

ACTOR = "caretaker"
FEWEST = 2
SHORTEST = timedelta(seconds=5)
GROWTH = 0.05
PER_RESULT = timedelta(seconds=0.06)
LONGEST = timedelta(minutes=10)
FAILURES = 8
OPEN = (RunState.WAITING, RunState.RUNNING)


def pause(taken: int, news: int, took: timedelta, failures: int = 0) -> timedelta:
    """Return how long after its last run a series may be reduced again.

    Parameters
    ----------
    taken : int
        How many results the last run took.
    news : int
        How many have come since.
    took : timedelta
        How long it took.
    failures : int
        How many of the last runs failed in a row; each doubles the pause, up to 10 minutes.
    """
    shortest = max(SHORTEST, 2 * took)
    if news < GROWTH * taken:
        shortest = max(shortest, min(taken * PER_RESULT, LONGEST))
    return shortest if not failures else max(shortest, min(SHORTEST * 2**failures, LONGEST))


def due(session: Session) -> list[UUID]:
    """Return the series that may be reduced now, the one that waits longest first."""
    last = (
        select(Run.state, Run.started_at, Run.finished_at)
        .where(Run.dataset_id == Series.dataset_id)
        .order_by(Run.version.desc())
        .limit(1)
        .lateral()
    )
    is_open = select(Run.id).where(Run.dataset_id == Series.dataset_id, Run.state.in_(OPEN))
    rows = session.execute(
        select(Series.dataset_id, Series.taken, Series.news, last, func.clock_timestamp())
        .join(Dataset, Dataset.id == Series.dataset_id)
        .join(Beamline, Beamline.id == Dataset.beamline_id)
        .outerjoin(last, true())
        .where(
            Series.due_since.is_not(None),
            Dataset.state == DatasetState.VALIDATED,
            Dataset.purged_at.is_(None),
            Beamline.paused_at.is_(None),
            ~is_open.exists(),
        )
        .order_by(Series.due_since)
    )
    return [row[0] for row in rows.all() if _is_time(session, *row)]


def _is_time(
    session: Session,
    series_id: UUID,
    taken: int,
    news: int,
    state: str | None,
    started: datetime | None,
    finished: datetime | None,
    now: datetime,
) -> bool:
    if finished is None:
        return True
    failures = _failures(session, series_id) if state == RunState.FAILED else 0
    return now >= finished + pause(taken, news, finished - (started or finished), failures)


def _failures(session: Session, series_id: UUID) -> int:
    """Return how many of the last runs failed in a row."""
    newest = select(Run.state).where(Run.dataset_id == series_id).order_by(Run.version.desc())
    states = session.scalars(newest.limit(FAILURES)).all()
    return next((at for at, each in enumerate(states) if each != RunState.FAILED), len(states))


def open_due(session: Session, series_id: UUID) -> Run | None:
    """Open the run of a series that is due, with the results that its scans have now.

    Inputs that a run took before make no new one, however it ended.

    Returns
    -------
    Run or None
        None if fewer than two of its scans have a result, or no flow reduces them together.

    Raises
    ------
    NotFound, InvalidParameters
        The flow was not published, or does not take the recipe.
    CatalogError
        The series was set aside meanwhile.
    """
    series = reducible(session, series_id)
    beamline = recipes.beamline_of(session, series.beamline_id)
    lock(session, series_id)
    has_flow = recipes.flow_name(beamline, series.rule, series=True) is not None
    if not has_flow or not has_results(session, series_id, FEWEST):
        served(session, series_id)
        return None
    flow = recipes.current_flow(session, beamline, series.rule, series=True)
    news = session.scalar(select(Series.news).where(Series.dataset_id == series_id))
    return open_run(
        session,
        series,
        parameters=_parameters(session, series, flow),
        actor=ACTOR,
        reason=f"new results of its scans: {news}",
        lane=Lane.LIVE,
        parent_id=current_run(session, series_id),
    )


def _parameters(session: Session, series: Dataset, flow: FlowSchema) -> dict[str, Any]:
    """Return the parameters that a person chose last and that led to a result, else the recipe."""
    chosen = session.scalar(
        select(Run.parameters)
        .where(
            Run.dataset_id == series.id,
            Run.request_id.is_not(None),
            Run.state == RunState.COMPLETED,
            Run.flow == flow.flow,
            Run.recipe_version == flow.version,
        )
        .order_by(Run.version.desc())
        .limit(1)
    )
    if chosen is not None:
        return chosen
    return recipes.effective_parameters(session, series.beamline_id, {}, series.rule, series=True)
