"""Series: raw datasets that belong together, whose results are reduced together as they come.

A series is a dataset without files, which its scans name as their parent. It is made when the
second of them lands. What its next run will find is counted in a row of its own.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import PurePosixPath
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from catalog import recipes
from catalog.lifecycle import move, note
from catalog.models import Beamline, Dataset, Sample, Series, uuid7
from catalog.models.dataset import SERIES
from catalog.sightings import SeriesMark
from catalog.states import DatasetState, Kind

FORMAT = "series"
ACTOR = "trigger"


# -- who belongs together -------------------------------------------------------------------


def mark(session: Session, dataset: Dataset, what: SeriesMark | None) -> None:
    """Write down what a raw dataset shares with others; what is not told again stays.

    One that is marked otherwise than before leaves its series; :func:`join` finds it another one.
    """
    if dataset.kind != Kind.RAW:
        _mark(session, dataset, None)
    elif what is not None:
        _mark(session, dataset, _key(dataset, what))


def mark_anew(session: Session, dataset: Dataset) -> None:
    """Mark a dataset once more, whose proposal or sample a person has corrected."""
    if dataset.series_key is not None:
        mark(session, dataset, _shared(dataset.series_key))


def join(session: Session, beamline: Beamline, datasets: Sequence[Dataset]) -> None:
    """Put marked datasets into their series, which begins with the second of its scans.

    Two questions, however many they are. Nobody else may enter arrivals of the beamline meanwhile.
    """
    together: defaultdict[str, dict[UUID, Dataset]] = defaultdict(dict)
    for each in datasets:
        if each.series_key and each.parent_id is None and _has_flow(beamline, each):
            together[each.series_key][each.id] = each
    if not together:
        return
    known = _known(session, beamline, together)
    for each in _waiting(session, beamline, together.keys() - known):
        together[each.series_key or ""].setdefault(each.id, each)
    for key, scans in together.items():
        if key not in known and len(scans) > 1:
            known[key] = _create(session, key, list(scans.values()))
        for each in scans.values():
            each.parent_id = known.get(key)


def _mark(session: Session, dataset: Dataset, key: str | None) -> None:
    if key == dataset.series_key:
        return
    if dataset.parent_id is not None:
        tell(session, dataset)
        dataset.parent_id = None
    dataset.series_key = key


def _key(dataset: Dataset, what: SeriesMark) -> str:
    """Return what all scans of a series share, and no others of their beamline.

    A sample is meant by its id: a person may have said that it is another one than the data say.
    """
    proposal = str(dataset.proposal_id) if dataset.proposal_id else None
    of = str(dataset.sample_id) if what.by == "sample" else what.of
    return json.dumps([dataset.technique, proposal, what.by, of], ensure_ascii=False)


def _shared(key: str) -> SeriesMark:
    return SeriesMark(*json.loads(key)[2:])


def _has_flow(beamline: Beamline, dataset: Dataset) -> bool:
    return recipes.flow_name(beamline, dataset.rule, series=True) is not None


def _known(session: Session, beamline: Beamline, keys: Collection[str]) -> dict[str, UUID]:
    """Return the series that there are of these keys."""
    rows = session.execute(
        select(Dataset.entry_key, Dataset.id).where(
            Dataset.beamline_id == beamline.id,
            Dataset.entry_key.in_([SERIES + key for key in keys]),
        )
    )
    return {entry_key.removeprefix(SERIES): id for entry_key, id in rows}


def _waiting(session: Session, beamline: Beamline, keys: Collection[str]) -> Sequence[Dataset]:
    """Return the scans that were the only ones of their kind so far."""
    if not keys:
        return []
    return session.scalars(
        select(Dataset).where(
            Dataset.beamline_id == beamline.id,
            Dataset.series_key.in_(keys),
            Dataset.parent_id.is_(None),
        )
    ).all()


def _create(session: Session, key: str, scans: Sequence[Dataset]) -> UUID:
    first, what = min(scans, key=lambda each: each.taken_at), _shared(key)
    if what.by == "sample":
        what = SeriesMark("sample", session.get_one(Sample, UUID(what.of)).name)
    series = Dataset(
        id=uuid7(),
        kind=Kind.RAW,
        beamline_id=first.beamline_id,
        entry_key=SERIES + key,
        base_key=SERIES + key,
        name=f"{_words(what)} series",
        technique=first.technique,
        format=FORMAT,
        taken_at=first.taken_at,
        rule=first.rule,
        proposal_id=first.proposal_id,
        visit_id=_common({each.visit_id for each in scans}),
        sample_id=_common({each.sample_id for each in scans}),
        meta={"series": {"by": what.by, "of": what.of}},
    )
    session.add(series)
    note(session, series, "registered", actor=ACTOR, details={"by": what.by, "of": what.of})
    move(session, series, DatasetState.ACQUIRED, actor=ACTOR)
    move(session, series, DatasetState.VALIDATED, actor=ACTOR)
    session.add(Series(dataset_id=series.id))
    session.flush()
    return series.id


def _words(what: SeriesMark) -> str:
    if what.by == "file":
        return PurePosixPath(what.of).stem
    return PurePosixPath(what.of).name if what.by == "folder" else what.of


def _common(ids: set[UUID | None]) -> UUID | None:
    return ids.pop() if len(ids) == 1 else None


# -- what is new ----------------------------------------------------------------------------


def tell(session: Session, dataset: Dataset) -> None:
    """Tell the series of a scan, if it has one, that the results of its scans are others now.

    The row stays locked until the commit: whoever takes the results of a series meanwhile waits,
    and takes this one too, or leaves it to the next run.
    """
    parent = select(Dataset.parent_id).where(Dataset.id == (dataset.source_id or dataset.id))
    _news(session, parent.scalar_subquery())


def tell_series(session: Session, series_id: UUID) -> None:
    """Have a series looked at once more."""
    _news(session, series_id)


def _news(session: Session, series_id: object) -> None:
    session.execute(
        update(Series)
        .where(Series.dataset_id == series_id)
        .values(
            news=Series.news + 1,
            due_since=func.coalesce(Series.due_since, func.clock_timestamp()),
        )
        .execution_options(synchronize_session=False)
    )
