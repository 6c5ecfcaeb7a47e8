"""What goes into a run of a series: the current results of its scans."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, func, literal, select, update
from sqlalchemy.dialects.postgresql import aggregate_order_by, distinct_on
from sqlalchemy.orm import Session, aliased

from catalog.access.visibility import Visibility, apply
from catalog.errors import CatalogError
from catalog.models import Dataset, DatasetFile, Run, Series
from catalog.states import DatasetState, RunState

ROLE = "member"
MARGIN = timedelta(days=1)
"""So much longer than its latest scan a series is embargoed, or each scan would be an event."""
ACTOR = "caretaker"
CLOSED = "as its scans are"


def take(session: Session, series: Dataset) -> list[tuple[UUID, str]]:
    """Return the results that a run of a series takes, each with the fingerprint of its files.

    What its scans get from now on is news for the next run: see :func:`catalog.series.tell`.

    Raises
    ------
    CatalogError
        None of its scans has a result.
    """
    lock(session, series.id)
    found = _with_fingerprints(session, series.id)
    if not found:
        raise CatalogError(f"None of the scans of {series.name} has a result yet.")
    served(session, series.id, taken=len(found))
    _keep_closed(session, series)
    return found


def lock(session: Session, series_id: UUID) -> None:
    """Keep new results of a series from being entered until the commit."""
    session.execute(
        select(Series.dataset_id)
        .where(Series.dataset_id == series_id)
        .with_for_update(key_share=True)
    )


def served(session: Session, series_id: UUID, **values: int) -> None:
    """Write down that a series waits for nothing now."""
    session.execute(
        update(Series)
        .where(Series.dataset_id == series_id)
        .values(news=0, due_since=None, **values)
        .execution_options(synchronize_session=False)
    )


def has_results(session: Session, series_id: UUID, count: int) -> bool:
    """Tell whether so many scans of a series have a result."""
    return len(session.scalars(_results(series_id).limit(count)).all()) == count


def without_result(session: Session, series_id: UUID) -> list[str]:
    """Return the names of the scans of a series that get no result unless somebody acts.

    Their data cannot be reduced, or the run that ended last failed and none waits.
    """
    result = select(Dataset.id).where(Dataset.is_current)
    last = select(Run.state).order_by(Run.version.desc()).limit(1)
    of_scan = aliased(Dataset)
    lost = (DatasetState.QUARANTINED, DatasetState.INCOMPLETE, DatasetState.ABORTED)
    ended = (RunState.FAILED, RunState.CANCELLED)
    return list(
        session.scalars(
            select(of_scan.name)
            .where(
                of_scan.parent_id == series_id,
                ~result.where(Dataset.source_id == of_scan.id).exists(),
                of_scan.state.in_(lost)
                | last.where(Run.dataset_id == of_scan.id).scalar_subquery().in_(ended),
            )
            .order_by(of_scan.taken_at, of_scan.id)
        )
    )


def _results(series_id: UUID) -> Select[UUID]:
    """Select the current result of each scan that is trusted; of several flows, the newest."""
    scan, result = aliased(Dataset), aliased(Dataset)
    return (
        select(result.id)
        .ext(distinct_on(result.source_id))
        .join(scan, scan.id == result.source_id)
        .where(
            scan.parent_id == series_id,
            scan.state == DatasetState.VALIDATED,
            result.is_current,
            result.state == DatasetState.VALIDATED,
            result.purged_at.is_(None),
        )
        .order_by(result.source_id, result.id.desc())
    )


def _with_fingerprints(session: Session, series_id: UUID) -> list[tuple[UUID, str]]:
    """Return results with one fingerprint for all files of each, made where the rows are."""
    result = _results(series_id).subquery()
    line = func.concat_ws(
        " ",
        DatasetFile.role,
        DatasetFile.inner_path,
        func.coalesce(DatasetFile.digest, DatasetFile.fingerprint, ""),
        DatasetFile.count,
    ).collate("C")
    lines = func.string_agg(line, aggregate_order_by(literal("\n"), line))
    rows = session.execute(
        select(result.c.id, func.encode(func.sha256(func.convert_to(lines, "UTF8")), "hex"))
        .join(DatasetFile, DatasetFile.dataset_id == result.c.id)
        .where(DatasetFile.gone_at.is_(None))
        .group_by(result.c.id)
        .order_by(result.c.id)
    )
    return [(id, fingerprint) for id, fingerprint in rows]


def _keep_closed(session: Session, series: Dataset) -> None:
    """Let nobody see a series who may not see all of its scans."""
    session.refresh(series, ["visibility", "embargo_until"])
    if series.visibility == Visibility.PROPRIETARY:
        return
    embargoed = Dataset.visibility == Visibility.EMBARGOED
    is_secret, is_closed, is_endless, until = session.execute(
        select(
            func.bool_or(Dataset.visibility == Visibility.PROPRIETARY),
            func.bool_or(embargoed),
            func.bool_or(embargoed & Dataset.embargo_until.is_(None)),
            func.max(Dataset.embargo_until).filter(embargoed),
        ).where(Dataset.parent_id == series.id)
    ).one()
    if is_secret:
        apply(session, series, Visibility.PROPRIETARY, actor=ACTOR, reason=CLOSED)
    elif is_closed and _ends_before(series, None if is_endless else until):
        end = None if is_endless or until is None else until + MARGIN
        apply(session, series, Visibility.EMBARGOED, until=end, actor=ACTOR, reason=CLOSED)


def _ends_before(series: Dataset, until: datetime | None) -> bool:
    """Tell whether a series is seen by others before that time; None is never."""
    if series.visibility == Visibility.PUBLIC:
        return True
    return series.embargo_until is not None and (until is None or series.embargo_until < until)
