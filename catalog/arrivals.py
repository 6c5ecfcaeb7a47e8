"""The ledger of arrivals: what a trigger saw becomes rows, once, in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from catalog import calibrations, recipes
from catalog.lifecycle import move, note
from catalog.models import (
    Beamline,
    Calibration,
    Dataset,
    DatasetFile,
    Proposal,
    Run,
    Sample,
    Storage,
    Visit,
    uuid7,
)
from catalog.runs.opening import open_run
from catalog.states import DatasetState, Kind, Lane

GROWING = (DatasetState.REGISTERED, DatasetState.INCOMPLETE)
RECHECKED = (DatasetState.QUARANTINED, DatasetState.ABORTED)


@dataclass(frozen=True)
class SightedFile:
    """A file as it was seen: its storage (by name or absolute folder), its path in it, its state.

    ``fingerprint`` stands for the content; ``inode`` 0 means unknown; a series has its ``count``.
    """

    storage: str
    path: str
    inner_path: str
    role: str
    size: int
    mtime_ns: int
    fingerprint: str
    inode: int = 0
    count: int = 1


@dataclass(frozen=True)
class Sighting:
    """What a trigger saw of one dataset.

    ``has_identity`` tells whether the data themselves say which scan they are (a uid or a start
    time); if not, another file under the same name is another dataset.
    """

    beamline: str
    entry_key: str
    name: str
    technique: str
    kind: Literal["raw", "calibration"]
    stage: Literal["opened", "grown", "complete", "incomplete", "broken"]
    files: Sequence[SightedFile]
    calibration_kinds: Sequence[str] = ()
    detector: str = ""
    reason: str | None = None
    uid: str | None = None
    started_at: datetime | None = None
    proposal: str | None = None
    visit: str | None = None
    sample: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    needs: Sequence[str] = ()
    format: str = ""
    inner_path: str = ""
    has_identity: bool = True
    actor: str = "trigger"


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
    """
    beamline = recipes.beamline_of(session, sighting.beamline)
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(beamline.id, 0))))
    dataset = _latest(session, sighting)
    if dataset is None:
        dataset = _create(session, sighting, generation=1)
        return _advance(session, sighting, beamline, dataset, created=True)
    if dataset.state in GROWING:
        _enter_files(session, dataset, sighting.files)
        _describe(session, dataset, sighting)
        return _advance(session, sighting, beamline, dataset)
    changes = _Changes.between(session, dataset, sighting)
    if not changes.content:
        _enter_files(session, dataset, changes.touched)
        return _recorded(session, dataset, "known already")
    if dataset.state in RECHECKED:
        _enter_files(session, dataset, sighting.files)
        _describe(session, dataset, sighting)
        return _advance(session, sighting, beamline, dataset)
    if changes.other_file and not sighting.has_identity:
        dataset = _create(session, sighting, generation=dataset.generation + 1)
        return _advance(session, sighting, beamline, dataset, created=True)
    return _alarm(session, dataset, sighting, changes)


def known_files(session: Session, beamline: str) -> set[tuple[str, int, int, int]]:
    """Return (absolute path, size, mtime_ns, inode) of the files that need no second look.

    Those of datasets that still grow or miss something are left out.
    """
    rows = session.execute(
        select(
            Storage.root,
            DatasetFile.path,
            DatasetFile.size,
            DatasetFile.mtime_ns,
            DatasetFile.inode,
        )
        .join(Storage, Storage.id == DatasetFile.storage_id)
        .join(Dataset, Dataset.id == DatasetFile.dataset_id)
        .where(
            Dataset.beamline_id == beamline,
            Dataset.kind != Kind.DERIVED,
            Dataset.state.not_in(GROWING),
        )
    )
    return {
        (f"{root.rstrip('/')}/{path}", size, mtime_ns or 0, inode or 0)
        for root, path, size, mtime_ns, inode in rows
    }


# -- what a sighting leads to ---------------------------------------------------------------


def _advance(
    session: Session,
    sighting: Sighting,
    beamline: Beamline,
    dataset: Dataset,
    *,
    created: bool = False,
) -> Recorded:
    """Move a dataset on as far as its stage allows."""
    actor, reason = sighting.actor, sighting.reason
    if sighting.stage == "incomplete" and dataset.state == DatasetState.REGISTERED:
        move(session, dataset, DatasetState.INCOMPLETE, actor=actor, reason=reason)
    elif sighting.stage in ("complete", "broken"):
        if sighting.stage == "complete" or dataset.state in RECHECKED:
            move(session, dataset, DatasetState.ACQUIRED, actor=actor, reason=reason)
        if sighting.stage == "broken":
            move(session, dataset, DatasetState.QUARANTINED, actor=actor, reason=reason)
        else:
            go_on(session, dataset, beamline, actor)
    return _recorded(session, dataset, dataset.state_reason or dataset.state, created=created)


def go_on(session: Session, dataset: Dataset, beamline: Beamline, actor: str) -> None:
    """Take an acquired dataset on: to its run, to its wait, or to those that waited for it."""
    if dataset.kind == Kind.CALIBRATION:
        move(session, dataset, DatasetState.VALIDATED, actor=actor)
        for waiting in calibrations.waiting_for(session, dataset):
            go_on(session, waiting, beamline, actor)
        return
    missing = calibrations.link(session, dataset, beamline)
    if missing:
        if dataset.state != DatasetState.WAITING_FOR_CALIBRATION:
            waiting = DatasetState.WAITING_FOR_CALIBRATION
            move(session, dataset, waiting, actor=actor, reason=_wait(dataset, beamline, missing))
        return
    move(session, dataset, DatasetState.VALIDATED, actor=actor)
    if beamline.flow is not None:
        parameters = recipes.effective_parameters(session, beamline.id, {})
        reason = "complete, with its calibrations"
        open_run(
            session, dataset, parameters=parameters, actor=actor, reason=reason, lane=Lane.LIVE
        )


def _wait(dataset: Dataset, beamline: Beamline, missing: Sequence[str]) -> str:
    hours = beamline.calibration_max_age.total_seconds() / 3600
    detector = f" for detector {dataset.detector}" if dataset.detector else ""
    return (
        f"No {' and no '.join(missing)}{detector} within {hours:g} h of this scan: it goes on when "
        "one lands."
    )


def _alarm(session: Session, dataset: Dataset, sighting: Sighting, changes: "_Changes") -> Recorded:
    reason = (
        f"Raw bytes changed under a known scan ({', '.join(changes.content)}). Its results were "
        "made from the earlier bytes; ask for a new run if the change is meant."
    )
    details = {"before": changes.before, "after": changes.after}
    actor = sighting.actor
    note(session, dataset, "raw_changed", actor=actor, reason=reason, details=details, alarm=True)
    _enter_files(session, dataset, sighting.files)
    return _recorded(session, dataset, reason)


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
        .with_for_update()
    )


def _create(session: Session, sighting: Sighting, generation: int) -> Dataset:
    suffix = f"#{generation}" if generation > 1 else ""
    dataset = Dataset(
        kind=sighting.kind,
        beamline_id=sighting.beamline,
        entry_key=sighting.entry_key + suffix,
        base_key=sighting.entry_key,
        generation=generation,
        technique=sighting.technique,
        taken_at=sighting.started_at or datetime.now(UTC),
    )
    _describe(session, dataset, sighting)
    session.add(dataset)
    note(session, dataset, "registered", actor=sighting.actor, details={"stage": sighting.stage})
    for kind in sighting.calibration_kinds if sighting.kind == "calibration" else ():
        session.add(
            Calibration(
                dataset_id=dataset.id,
                kind=kind,
                detector=sighting.detector,
                energy_kev=sighting.metadata.get("energy_keV"),
            )
        )
    _enter_files(session, dataset, sighting.files)
    return dataset


def _describe(session: Session, dataset: Dataset, sighting: Sighting) -> None:
    """Enter what is known about a dataset by now; what a person has assigned stays."""
    dataset.name = sighting.name
    dataset.format = sighting.format
    dataset.inner_path = sighting.inner_path
    dataset.uid = sighting.uid
    dataset.detector = sighting.detector
    dataset.needs = list(sighting.needs)
    dataset.meta = dict(sighting.metadata)
    if sighting.started_at is not None:
        dataset.started_at = dataset.taken_at = sighting.started_at
    if dataset.proposal_id is None and sighting.proposal:
        dataset.proposal_id = _proposal(session, sighting.proposal)
    if dataset.visit_id is None and dataset.proposal_id and sighting.visit:
        dataset.visit_id = _visit(session, dataset.proposal_id, sighting.visit)
    if dataset.sample_id is None and sighting.sample:
        dataset.sample_id = _sample(session, dataset.proposal_id, sighting.sample)


def _proposal(session: Session, code: str) -> UUID:
    session.execute(insert(Proposal).values(id=uuid7(), code=code).on_conflict_do_nothing())
    return session.scalars(select(Proposal.id).where(Proposal.code == code)).one()


def _visit(session: Session, proposal_id: UUID, code: str) -> UUID:
    values = {"id": uuid7(), "proposal_id": proposal_id, "code": code}
    session.execute(insert(Visit).values(**values).on_conflict_do_nothing())
    return session.scalars(
        select(Visit.id).where(Visit.proposal_id == proposal_id, Visit.code == code)
    ).one()


def _sample(session: Session, proposal_id: UUID | None, name: str) -> UUID:
    values = {"id": uuid7(), "proposal_id": proposal_id, "name": name}
    session.execute(insert(Sample).values(**values).on_conflict_do_nothing())
    mine = Sample.proposal_id.is_not_distinct_from(proposal_id)
    return session.scalars(select(Sample.id).where(mine, Sample.name == name)).one()


def _enter_files(session: Session, dataset: Dataset, files: Sequence[SightedFile]) -> None:
    """Add files that are new to a dataset, and renew what is known of the others."""
    if not files:
        return
    session.flush()
    roots = {name: recipes.storage(session, name).id for name in {file.storage for file in files}}
    rows = insert(DatasetFile).values(
        [
            {
                "id": uuid7(),
                "dataset_id": dataset.id,
                "storage_id": roots[file.storage],
                "path": file.path,
                "inner_path": file.inner_path,
                "role": file.role,
                "size": file.size,
                "mtime_ns": file.mtime_ns,
                "inode": file.inode,
                "count": file.count,
                "fingerprint": file.fingerprint,
            }
            for file in files
        ]
    )
    renewed = ("size", "mtime_ns", "inode", "count", "fingerprint")
    session.execute(
        rows.on_conflict_do_update(
            index_elements=["dataset_id", "storage_id", "path", "inner_path", "role"],
            set_={column: rows.excluded[column] for column in renewed},
        )
    )


@dataclass(frozen=True)
class _Changes:
    """How the files of a sighting differ from those that the catalogue knows."""

    content: list[str]
    touched: list[SightedFile]
    before: dict[str, str | None]
    after: dict[str, str]
    other_file: bool

    @classmethod
    def between(cls, session: Session, dataset: Dataset, sighting: Sighting) -> "_Changes":
        known = {
            (storage, row.path, row.inner_path, row.role): row
            for row, storage in session.execute(
                select(DatasetFile, Storage.name)
                .join(Storage, Storage.id == DatasetFile.storage_id)
                .where(DatasetFile.dataset_id == dataset.id)
            ).tuples()
        }
        changes = cls([], [], {}, {}, other_file=False)
        other_file = False
        for file in sighting.files:
            row = known.get((file.storage, file.path, file.inner_path, file.role))
            if row is not None and _same_state(row, file):
                continue
            changes.touched.append(file)
            if row is not None and (row.fingerprint == file.fingerprint or _grew(row, file)):
                continue
            changes.content.append(file.path)
            changes.before[file.path] = row.fingerprint if row else None
            changes.after[file.path] = file.fingerprint
            other_file = other_file or row is None or row.inode != file.inode
        return cls(changes.content, changes.touched, changes.before, changes.after, other_file)


def _same_state(row: DatasetFile, file: SightedFile) -> bool:
    seen = (file.size, file.mtime_ns, file.inode, file.count, file.fingerprint)
    return seen == (row.size, row.mtime_ns, row.inode, row.count, row.fingerprint)


def _grew(row: DatasetFile, file: SightedFile) -> bool:
    """Tell whether a file of many scans only grew, by scans that are datasets of their own."""
    return bool(file.inner_path) and row.inode == file.inode and file.size > row.size
