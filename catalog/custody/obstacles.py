"""What keeps a dataset from being purged, in one sentence; the database checks most of it again."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from catalog import recipes
from catalog.custody.files import Kept
from catalog.models import Beamline, Dataset, Hold, Lineage, Replica, ReplicaFile, Run
from catalog.states import Kind, RunState

OPEN = (RunState.WAITING, RunState.RUNNING)


def obstacle(
    session: Session, dataset: Dataset, beamline: Beamline, files: Sequence[Kept], *, raw: bool
) -> str | None:
    """Return what keeps a dataset, or None if nothing does."""
    if dataset.is_series:
        return "it is a series, which has no files of its own"
    return (
        _too_early(dataset, beamline, raw=raw)
        or _held(session, dataset)
        or _in_use(session, dataset)
        or _out_of_bounds(dataset, beamline, files)
        or _changed(files)
        or _not_copied(session, dataset, files)
    )


def _too_early(dataset: Dataset, beamline: Beamline, *, raw: bool) -> str | None:
    if dataset.kind == Kind.DERIVED:
        setting, keep = "derived_after_days", beamline.purge_derived_after
    elif not raw:
        return f"it is {dataset.kind} data, which go only when asked for (--raw)"
    else:
        setting, keep = "raw_after_days", beamline.purge_raw_after
    if keep is None:
        return f"the settings of beamline {beamline.id} do not allow it (purge.{setting} is empty)"
    if dataset.created_at + keep > datetime.now(UTC):
        return f"it is kept until {dataset.created_at + keep:%Y-%m-%d %H:%M} UTC"
    return None


def _held(session: Session, dataset: Dataset) -> str | None:
    held = session.scalars(
        select(Hold).where(Hold.dataset_id == dataset.id, Hold.released_at.is_(None)).limit(1)
    ).first()
    return f"{held.actor} holds it: {held.reason}" if held else None


def _in_use(session: Session, dataset: Dataset) -> str | None:
    reads = exists().where(
        Lineage.run_id == Run.id,
        Lineage.dataset_id == dataset.id,
        Lineage.direction == "input",
    )
    own = [each for each in (dataset.id, dataset.source_id) if each]
    run = session.scalar(
        select(Run.id).where(Run.state.in_(OPEN), or_(Run.dataset_id.in_(own), reads)).limit(1)
    )
    return f"run {run} uses it" if run else None


def _out_of_bounds(dataset: Dataset, beamline: Beamline, files: Sequence[Kept]) -> str | None:
    """Results go from below our own output root alone, raw data from the beamline's folders."""
    derived = dataset.kind == Kind.DERIVED
    roots = [recipes.output_root(beamline.output_template)] if derived else beamline.folders
    for file in files:
        inside = any(file.place.is_relative_to(root) for root in map(Path, roots))
        if not inside or ".." in file.place.parts:
            return f"{file.place} lies outside {' and '.join(roots)}"
    return None


def _changed(files: Sequence[Kept]) -> str | None:
    """Keep what is not as it was copied; what is gone already is no obstacle."""
    for file in files:
        seen = file.look()
        if seen is None or file.is_series:
            continue
        size, mtime_ns = seen
        if size != file.size or file.mtime_ns not in (None, mtime_ns):
            return f"{file.place} was changed since it was entered"
    return None


def _not_copied(session: Session, dataset: Dataset, files: Sequence[Kept]) -> str | None:
    verified = select(Replica.id).where(
        Replica.dataset_id == dataset.id, Replica.state == "verified"
    )
    for replica in session.scalars(verified):
        copied = select(ReplicaFile.file_id).where(ReplicaFile.replica_id == replica)
        if {each.id for each in files} <= set(session.scalars(copied)):
            return None
    return f"no verified copy of it exists (`dayseye archive {dataset.id}` makes one)"
