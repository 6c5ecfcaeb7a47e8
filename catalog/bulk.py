"""Many arrivals in one transaction: what `catalog.arrivals.record` does, a few hundred at a time.

A scan that nobody has seen before, complete and with all that it needs, is the rule when many land
at once. Those are entered together, by statements that carry many rows. All others go the ordinary
way, each in a savepoint, so that one that cannot be entered harms no other.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, tuple_
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.orm import Session

from catalog import memo, recipes, series
from catalog.arrivals import Recorded, advance, new_dataset, record
from catalog.errors import CatalogError
from catalog.going_on import one_after_the_other
from catalog.lifecycle import tell_many
from catalog.models import Beamline, Dataset, DatasetFile, uuid7
from catalog.runs.first_runs import FirstRun, choose_folders, open_first_runs
from catalog.runs.opening import files_fingerprint
from catalog.sightings import RENEWED, Sighting, check_names, storage_id
from catalog.states import DatasetState, Kind

Outcome = Recorded | CatalogError


def record_many(session: Session, sightings: Sequence[Sighting]) -> list[Outcome]:
    """Enter many sightings as `record` does; the caller commits.

    Returns
    -------
    list of Recorded or CatalogError
        What became of each, in their order; an error where one could not be entered.

    Raises
    ------
    NotFound
        A beamline is not in the catalogue.
    DBAPIError
        The connection was lost: nothing is entered.
    """
    outcomes: dict[int, Outcome] = {}
    with memo.remembering(session):
        for beamline_id in sorted({each.beamline for each in sightings}):
            beamline = recipes.beamline_of(session, beamline_id)
            one_after_the_other(session, beamline)
            mine = [at for at, each in enumerate(sightings) if each.beamline == beamline_id]
            fresh = _fresh(session, beamline, sightings, mine)
            outcomes |= _together(session, beamline, sightings, fresh)
        for at, sighting in enumerate(sightings):
            if at not in outcomes:
                outcomes[at] = _alone(session, sighting)
    return [outcomes[at] for at in range(len(sightings))]


def _fresh(
    session: Session, beamline: Beamline, sightings: Sequence[Sighting], mine: Sequence[int]
) -> list[int]:
    """Return those that are surely new: no dataset has their key, and none their file."""
    keys: set[str] = set()
    nameless: set[tuple[str, str]] = set()
    fresh: list[int] = []
    for at in mine:
        sighting = sightings[at]
        if sighting.files and _has_good_names(sighting):
            place = (sighting.files[0].storage, sighting.files[0].path)
            if sighting.entry_key not in keys and place not in nameless:
                fresh.append(at)
            if not sighting.has_identity:
                nameless.add(place)
        keys.add(sighting.entry_key)
    known = set(
        session.scalars(
            select(Dataset.base_key).where(
                Dataset.beamline_id == beamline.id, Dataset.base_key.in_(keys)
            )
        )
    )
    taken = _taken_places(session, [sightings[at] for at in fresh])
    return [
        at
        for at in fresh
        if sightings[at].entry_key not in known and _place(session, sightings[at]) not in taken
    ]


def _has_good_names(sighting: Sighting) -> bool:
    try:
        check_names(sighting.files)
    except CatalogError:
        return False  # alone, it gets its sentence
    return True


def _place(session: Session, sighting: Sighting) -> tuple[UUID, str]:
    return storage_id(session, sighting.files[0].storage), sighting.files[0].path


def _taken_places(session: Session, sightings: Sequence[Sighting]) -> set[tuple[UUID, str]]:
    """Return files that a dataset without an identity has: it may be this scan, unread then."""
    places = {_place(session, each) for each in sightings if each.has_identity}
    rows = session.execute(
        select(DatasetFile.storage_id, DatasetFile.path)
        .join(Dataset, Dataset.id == DatasetFile.dataset_id)
        .where(
            tuple_(DatasetFile.storage_id, DatasetFile.path).in_(places),
            Dataset.kind != Kind.DERIVED,
            ~Dataset.base_key.startswith("uid:"),
            Dataset.started_at.is_(None),
        )
    )
    return {(storage, path) for storage, path in rows}


def _together(
    session: Session, beamline: Beamline, sightings: Sequence[Sighting], fresh: Sequence[int]
) -> dict[int, Outcome]:
    """Enter new datasets together; if anything is wrong with one, leave all to the other way."""
    if not fresh:
        return {}
    try:
        with session.begin_nested():
            return _enter(session, beamline, {at: sightings[at] for at in fresh})
    except (CatalogError, DBAPIError, ValueError) as error:
        if isinstance(error, DBAPIError) and _is_lost(error):
            raise
        memo.forget(session)
        one_after_the_other(session, beamline)
        return {}


def _enter(session: Session, beamline: Beamline, fresh: dict[int, Sighting]) -> dict[int, Outcome]:
    datasets = {at: new_dataset(session, sighting) for at, sighting in fresh.items()}
    ready = [at for at, sighting in fresh.items() if _is_ready(sighting)]
    reduced = [at for at in ready if recipes.flow_name(beamline, datasets[at].rule) is not None]
    crowded = choose_folders(session, [datasets[at] for at in reduced], beamline)
    ready = [at for at in ready if datasets[at].id not in crowded]
    series.join(session, beamline, list(datasets.values()))
    session.add_all(datasets.values())
    session.flush()
    session.execute(
        insert(DatasetFile),
        [row for at in fresh for row in _files(session, datasets[at], fresh[at])],
    )
    _tell(session, fresh, datasets, ready)
    firsts = [
        FirstRun(datasets[at], _print(fresh[at]), fresh[at].actor)
        for at in reduced
        if datasets[at].id not in crowded
    ]
    runs = open_first_runs(session, beamline, firsts, "complete, with its calibrations")
    others = [at for at in fresh if at not in set(ready)]
    outcomes: dict[int, Outcome] = {at: _validated(datasets[at], runs) for at in ready}
    for at in others:
        outcomes[at] = advance(session, fresh[at], beamline, datasets[at], created=True)
    return outcomes


def _is_ready(sighting: Sighting) -> bool:
    is_raw, is_complete = sighting.kind == Kind.RAW, sighting.stage == "complete"
    return is_raw and is_complete and not sighting.needs and "report" not in sighting.metadata


def _files(session: Session, dataset: Dataset, sighting: Sighting) -> list[dict[str, Any]]:
    return [
        {
            "id": uuid7(),
            "dataset_id": dataset.id,
            "storage_id": storage_id(session, file.storage),
            "path": file.path,
            "inner_path": file.inner_path,
            "role": file.role,
            **{column: getattr(file, column) for column in RENEWED},
        }
        for file in sighting.files
    ]


def _print(sighting: Sighting) -> str:
    return files_fingerprint(
        (file.role, file.inner_path, file.fingerprint, file.count) for file in sighting.files
    )


def _tell(
    session: Session,
    fresh: dict[int, Sighting],
    datasets: dict[int, Dataset],
    ready: Sequence[int],
) -> None:
    """Write the history of new datasets; those that are ready are acquired and validated."""
    rows = [
        {"event": "registered", "details": {"stage": fresh[at].stage}, **_who(fresh[at], dataset)}
        for at, dataset in datasets.items()
    ]
    for state in (DatasetState.ACQUIRED, DatasetState.VALIDATED):
        reason = {at: fresh[at].reason if state == DatasetState.ACQUIRED else None for at in ready}
        rows += [
            {
                "event": state,
                "to_state": state,
                "reason": reason[at],
                **_who(fresh[at], datasets[at]),
            }
            for at in ready
        ]
    tell_many(session, rows)
    for at in ready:
        session.expire(datasets[at], ["state", "state_reason", "state_at"])


def _who(sighting: Sighting, dataset: Dataset) -> dict[str, Any]:
    return {"dataset_id": dataset.id, "actor": sighting.actor}


def _validated(dataset: Dataset, runs: dict[UUID, UUID]) -> Recorded:
    state = DatasetState.VALIDATED
    return Recorded(dataset.id, True, state, runs.get(dataset.id), state)


def _alone(session: Session, sighting: Sighting) -> Outcome:
    try:
        with session.begin_nested():
            return record(session, sighting)
    except (CatalogError, DBAPIError, ValueError) as error:
        if isinstance(error, DBAPIError) and _is_lost(error):
            raise
        memo.forget(session)
        return error if isinstance(error, CatalogError) else _refused(sighting, error)


def _is_lost(error: DBAPIError) -> bool:
    return error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)


def _refused(sighting: Sighting, error: Exception) -> CatalogError:
    cause = getattr(error, "orig", None) or error
    refused = CatalogError(
        f"The catalogue cannot hold what {sighting.name} tells of itself "
        f"({str(cause).splitlines()[0]}): check what the acquisition writes into it."
    )
    refused.__cause__ = error
    return refused
