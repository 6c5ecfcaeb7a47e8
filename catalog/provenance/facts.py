"""What the catalogue knows of how a result came to be, gathered for the exporters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, defer

from catalog.models import (
    Attempt,
    Beamline,
    Dataset,
    DatasetFile,
    FlowSchema,
    Lineage,
    Proposal,
    Run,
    Sample,
    Step,
    Storage,
    VerdictRecord,
)
from catalog.states import AttemptState, Kind


@dataclass(frozen=True)
class Data:
    """A dataset with its files; ``role`` is what it was for the run."""

    dataset: Dataset
    role: str
    files: Sequence[tuple[DatasetFile, Storage]]


@dataclass(frozen=True)
class Facts:
    """A result, the run that made it, and everything that is told of them.

    ``hidden_inputs`` counts inputs that the viewer may not see: they are not named.
    """

    result: Data
    run: Run
    attempt: Attempt
    steps: Sequence[Step]
    inputs: Sequence[Data]
    hidden_inputs: int
    verdict: VerdictRecord | None
    beamline: Beamline
    proposal: Proposal | None
    sample: Sample | None
    flow_schema: FlowSchema | None


def facts_of(session: Session, dataset_id: UUID) -> Facts | None:
    """Gather the facts of a result, or of a dataset's current result.

    Returns
    -------
    Facts or None
        None when there is no such result for who looks through this session.
    """
    result = _result(session, dataset_id)
    if result is None or result.run_id is None:
        return None
    # a run is shown with the dataset that it reduced, and not without
    statement = select(Run).join(Dataset, Dataset.id == Run.dataset_id)
    run = session.scalars(statement.where(Run.id == result.run_id)).first()
    if run is None:
        return None
    inputs = _inputs(session, run)
    return Facts(
        result=Data(result, "result", _files(session, result.id)),
        run=run,
        attempt=_attempt(session, run),
        steps=session.scalars(select(Step).where(Step.run_id == run.id).order_by(Step.id)).all(),
        inputs=inputs,
        hidden_inputs=_count_inputs(session, run) - len(inputs),
        verdict=_verdict(session, result.id),
        beamline=session.get_one(Beamline, result.beamline_id),
        proposal=session.get(Proposal, result.proposal_id) if result.proposal_id else None,
        sample=session.get(Sample, result.sample_id) if result.sample_id else None,
        flow_schema=session.get(FlowSchema, (run.flow, run.recipe_version)),
    )


def local_path(file: DatasetFile, storage: Storage) -> Path | None:
    """Return where a file lies; None when it is gone, or a link leads out of its storage."""
    root = Path(storage.root).resolve()
    path = (root / file.path).resolve()
    return path if path.is_relative_to(root) and path.is_file() else None


def _result(session: Session, dataset_id: UUID) -> Dataset | None:
    asked = session.scalars(select(Dataset).where(Dataset.id == dataset_id)).first()
    if asked is None or asked.kind == Kind.DERIVED:
        return asked
    current = select(Dataset).where(Dataset.source_id == dataset_id, Dataset.is_current)
    return session.scalars(current.order_by(Dataset.id.desc()).limit(1)).first()


def _inputs(session: Session, run: Run) -> list[Data]:
    """Return what went into a run, as far as who asks may see it: a series took thousands."""
    rows = session.execute(
        select(Lineage.role, Dataset)
        .join(Dataset, Dataset.id == Lineage.dataset_id)
        .where(Lineage.run_id == run.id, Lineage.direction == "input")
        .order_by(Lineage.role, Lineage.dataset_id)
        .options(defer(Dataset.search_text), defer(Dataset.search_pairs))
    ).all()
    files: defaultdict[UUID, list[tuple[DatasetFile, Storage]]] = defaultdict(list)
    taken = select(Lineage.dataset_id).where(Lineage.run_id == run.id, Lineage.direction == "input")
    for file, storage in session.execute(_of_files().where(DatasetFile.dataset_id.in_(taken))):
        files[file.dataset_id].append((file, storage))
    return [Data(dataset, role, files[dataset.id]) for role, dataset in rows]


def _count_inputs(session: Session, run: Run) -> int:
    taken = select(func.count()).where(Lineage.run_id == run.id, Lineage.direction == "input")
    return session.scalar(taken) or 0


def _files(session: Session, dataset_id: UUID) -> list[tuple[DatasetFile, Storage]]:
    statement = _of_files().where(DatasetFile.dataset_id == dataset_id)
    return [(file, storage) for file, storage in session.execute(statement)]


def _of_files() -> Select[DatasetFile, Storage]:
    return (
        select(DatasetFile, Storage)
        .join(Storage, Storage.id == DatasetFile.storage_id)
        .where(DatasetFile.gone_at.is_(None))
        .order_by(DatasetFile.id)
    )


def _attempt(session: Session, run: Run) -> Attempt:
    statement = select(Attempt).where(
        Attempt.run_id == run.id, Attempt.state == AttemptState.COMPLETED
    )
    return session.scalars(statement).one()


def _verdict(session: Session, dataset_id: UUID) -> VerdictRecord | None:
    statement = select(VerdictRecord).where(VerdictRecord.dataset_id == dataset_id)
    return session.scalars(statement.order_by(VerdictRecord.id.desc()).limit(1)).first()
