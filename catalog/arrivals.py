"""The ledger of arrivals: what a trigger saw becomes rows, once, in one transaction."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog import recipes, series
from catalog.describing import describe, learn
from catalog.going_on import go_on, one_after_the_other, reduce
from catalog.lifecycle import move, note
from catalog.models import (
    Beamline,
    Calibration,
    Dataset,
    DatasetFile,
    LifecycleEvent,
    Run,
    uuid7,
)
from catalog.sightings import (
    Changes,
    SightedFile,
    Sighting,
    check_names,
    compare,
    enter_files,
    renew_files,
)
from catalog.states import DatasetState, Kind

__all__ = ["Recorded", "SightedFile", "Sighting", "record"]

GROWING = (DatasetState.REGISTERED, DatasetState.INCOMPLETE)
RECHECKED = (DatasetState.QUARANTINED, DatasetState.ABORTED)
SERVE = ("complete", "incomplete", "aborted")  # the latter two when a person accepts them
RECHECK = "recheck"
"""The event by which a person asks for another look at the files of a dataset."""
ACCEPTED = "accepted"
"""What the metadata of a dataset say that a person accepted as it is; flows ask for it, too."""


@dataclass(frozen=True)
class Recorded:
    """What became of a sighting; ``run_id`` is the dataset's latest run, if it has one."""

    dataset_id: UUID
    created: bool
    state: str
    run_id: UUID | None
    note: str


def record(session: Session, sighting: Sighting) -> Recorded:
    """Enter a sighting: dataset, files, events, calibrations, run and dispatch, in one transaction.

    The caller commits. A second sighting of the same thing changes nothing. Arrivals of a beamline
    are entered one after the other, so that a scan and its calibration cannot miss each other.

    Raises
    ------
    NotFound
        The beamline or a storage is not in the catalogue.
    CatalogError
        A file's name is not valid UTF-8.
    """
    check_names(sighting.files)
    beamline = recipes.beamline_of(session, sighting.beamline)
    one_after_the_other(session, beamline)
    dataset = _latest(session, sighting) or _unidentified(session, sighting)
    if dataset is None:
        dataset = _create(session, sighting, generation=1)
        return advance(session, sighting, beamline, dataset, created=True)
    if dataset.state in GROWING:
        enter_files(session, dataset, sighting.files)
        describe(session, dataset, sighting)
        return advance(session, sighting, beamline, dataset)
    return _seen_again(session, sighting, beamline, dataset)


# -- what a sighting leads to ---------------------------------------------------------------


def advance(
    session: Session,
    sighting: Sighting,
    beamline: Beamline,
    dataset: Dataset,
    *,
    created: bool = False,
) -> Recorded:
    """Move a dataset on as far as its stage allows."""
    actor, reason = sighting.actor, sighting.reason
    series.join(session, beamline, [dataset])
    if sighting.kind == Kind.CALIBRATION and sighting.stage in SERVE:
        _enter_calibration(session, dataset, sighting)
    if sighting.stage == "incomplete" and dataset.state == DatasetState.REGISTERED:
        move(session, dataset, DatasetState.INCOMPLETE, actor=actor, reason=reason)
    elif sighting.stage == "aborted":
        move(session, dataset, DatasetState.ABORTED, actor=actor, reason=reason)
    elif sighting.stage == "broken":
        move(session, dataset, DatasetState.QUARANTINED, actor=actor, reason=reason)
    elif sighting.stage == "complete":
        move(session, dataset, DatasetState.ACQUIRED, actor=actor, reason=reason)
        _note_abort(session, dataset, sighting)
        go_on(session, dataset, beamline, actor)
    return _recorded(session, dataset, dataset.state_reason or dataset.state, created=created)


def _seen_again(
    session: Session, sighting: Sighting, beamline: Beamline, dataset: Dataset
) -> Recorded:
    """Compare a sighting with a dataset that has arrived: most often nothing is new."""
    changes = compare(session, dataset, sighting.files)
    if dataset.state in RECHECKED and _is_to_be_rechecked(session, dataset):
        return _recheck(session, sighting, beamline, dataset)
    if not changes.content:
        renew_files(session, dataset, changes.touched)
        learned = learn(session, dataset, sighting)
        series.join(session, beamline, [dataset])
        _note_abort(session, dataset, sighting, is_new="report" in learned)
        return _recorded(session, dataset, "described" if learned else "known already")
    if dataset.state in RECHECKED:
        return _recheck(session, sighting, beamline, dataset)
    if changes.moved:
        note(session, dataset, "moved", actor=sighting.actor, details=changes.after)
        enter_files(session, dataset, sighting.files)
        return _recorded(session, dataset, "moved")
    if changes.other_file and not sighting.has_identity:
        dataset = _create(session, sighting, generation=dataset.generation + 1)
        return advance(session, sighting, beamline, dataset, created=True)
    return _changed(session, sighting, beamline, dataset, changes)


def _rest_has_come(session: Session, sighting: Sighting, dataset: Dataset) -> Recorded:
    """Reduce a scan that was accepted as it was anew, once the rest of it has come."""
    if sighting.stage != "complete":
        return _recorded(session, dataset, "accepted as it was; the rest has not come")
    reason = "the rest of a scan that was accepted as it was has come"
    note(session, dataset, "completed", actor=sighting.actor, reason=reason)
    enter_files(session, dataset, sighting.files)
    describe(session, dataset, sighting)
    if sighting.kind == Kind.RAW:
        reduce(session, dataset, sighting.actor)
    return _recorded(session, dataset, reason)


def _is_to_be_rechecked(session: Session, dataset: Dataset) -> bool:
    """Tell whether a person asked for another look since the dataset was set aside."""
    asked = select(LifecycleEvent.id).where(
        LifecycleEvent.dataset_id == dataset.id,
        LifecycleEvent.event == RECHECK,
        LifecycleEvent.at > dataset.state_at,
    )
    return session.scalar(asked.limit(1)) is not None


def _recheck(
    session: Session, sighting: Sighting, beamline: Beamline, dataset: Dataset
) -> Recorded:
    """Look again at a dataset that was set aside, now that its bytes are others and whole."""
    if sighting.stage not in ("complete", "broken"):
        return _recorded(session, dataset, f"still {dataset.state}")
    enter_files(session, dataset, sighting.files)
    describe(session, dataset, sighting)
    if sighting.stage == "broken":
        why = f"the files changed, and are still broken: {sighting.reason}"
        move(session, dataset, DatasetState.ACQUIRED, actor=sighting.actor, reason=why)
    return advance(session, sighting, beamline, dataset)


def _changed(
    session: Session, sighting: Sighting, beamline: Beamline, dataset: Dataset, changes: Changes
) -> Recorded:
    """Raise the alarm about bytes that changed; what has not been reduced yet goes on with them."""
    if ACCEPTED in dataset.meta and dataset.state == DatasetState.VALIDATED:
        return _rest_has_come(session, sighting, dataset)
    reason = (
        f"Raw bytes changed under a known scan ({', '.join(changes.content)}). What was made from "
        "the earlier bytes stands; ask for a new run if the change is meant."
    )
    details = {"before": changes.before, "after": changes.after}
    actor = sighting.actor
    note(session, dataset, "raw_changed", actor=actor, reason=reason, details=details, alarm=True)
    enter_files(session, dataset, sighting.files)
    waits = dataset.state == DatasetState.WAITING_FOR_CALIBRATION
    if waits and sighting.stage == "complete":
        describe(session, dataset, sighting)
        go_on(session, dataset, beamline, actor)
    return _recorded(session, dataset, reason)


def _note_abort(
    session: Session, dataset: Dataset, sighting: Sighting, *, is_new: bool = True
) -> None:
    """Write down that the run of a scan which is complete all the same was aborted."""
    report = sighting.metadata.get("report", {})
    if is_new and report.get("stage") == "aborted":
        reason = f"its run was aborted: {report.get('reason') or 'no reason given'}"
        note(session, dataset, "aborted", actor=sighting.actor, reason=reason)


def _recorded(session: Session, dataset: Dataset, words: str, *, created: bool = False) -> Recorded:
    run_id = session.scalar(
        select(Run.id).where(Run.dataset_id == dataset.id).order_by(Run.id.desc()).limit(1)
    )
    return Recorded(dataset.id, created, dataset.state, run_id, words)


# -- rows -----------------------------------------------------------------------------------


def _latest(session: Session, sighting: Sighting) -> Dataset | None:
    return session.scalar(
        select(Dataset)
        .where(
            Dataset.beamline_id == sighting.beamline,
            Dataset.base_key == sighting.entry_key,
        )
        .order_by(Dataset.generation.desc())
        .limit(1)
        .with_for_update(key_share=True)
    )


def _unidentified(session: Session, sighting: Sighting) -> Dataset | None:
    """Find the dataset that this file was while nothing in it could be read, and name it.

    A file that was empty, locked or truncated at its first sighting had no entry to be told by.
    """
    if not (sighting.has_identity and sighting.files):
        return None
    first = sighting.files[0]
    dataset = session.scalar(
        select(Dataset)
        .join(DatasetFile, DatasetFile.dataset_id == Dataset.id)
        .where(
            Dataset.beamline_id == sighting.beamline,
            Dataset.kind != Kind.DERIVED,
            Dataset.started_at.is_(None),
            ~Dataset.base_key.startswith("uid:"),
            Dataset.state.in_((*GROWING, *RECHECKED)),
            DatasetFile.storage_id == recipes.storage(session, first.storage).id,
            DatasetFile.path == first.path,
        )
        .order_by(Dataset.id.desc())
        .limit(1)
        .with_for_update(key_share=True, of=Dataset)
    )
    if dataset is not None:
        details = {"before": dataset.entry_key, "after": sighting.entry_key}
        dataset.entry_key = dataset.base_key = sighting.entry_key
        dataset.generation = 1
        note(session, dataset, "identified", actor=sighting.actor, details=details)
    return dataset


def _create(session: Session, sighting: Sighting, generation: int) -> Dataset:
    dataset = new_dataset(session, sighting, generation)
    session.add(dataset)
    note(session, dataset, "registered", actor=sighting.actor, details={"stage": sighting.stage})
    enter_files(session, dataset, sighting.files)
    return dataset


def new_dataset(session: Session, sighting: Sighting, generation: int = 1) -> Dataset:
    """Make a dataset's row, which the caller adds, with all that is known about it by now."""
    suffix = f"#{generation}" if generation > 1 else ""
    dataset = Dataset(
        id=uuid7(),
        beamline_id=sighting.beamline,
        entry_key=sighting.entry_key + suffix,
        base_key=sighting.entry_key,
        generation=generation,
        taken_at=sighting.started_at or sighting.reported_start or datetime.now(UTC),
    )
    describe(session, dataset, sighting)
    return dataset


def _enter_calibration(session: Session, dataset: Dataset, sighting: Sighting) -> None:
    for kind in sighting.calibration_kinds:
        row = Calibration(
            dataset_id=dataset.id,
            kind=kind,
            detector=sighting.detector,
            energy_kev=sighting.metadata.get("energy_keV"),
        )
        session.merge(row)
