"""How much room a run's results are expected to need, as past results and sizes of inputs tell."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, Numeric, cast, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from catalog.models import Dataset, DatasetFile, Dispatch, Run
from catalog.states import RunState

LAST = 20  # results that tell the ratio
UNKNOWN_RATIO = 2.0


@dataclass(frozen=True)
class Promise:
    """Room that a run which was sent and has not ended may still fill."""

    output_folder: str
    bytes: int


def input_bytes(session: Session, *dataset_ids: UUID) -> int:
    """Return the size of datasets' files together."""
    total = select(func.sum(DatasetFile.size)).where(
        DatasetFile.dataset_id.in_(dataset_ids), DatasetFile.gone_at.is_(None)
    )
    return int(session.scalar(total) or 0)


def latest_bytes(session: Session, dataset_id: UUID) -> int:
    """Return the size of a dataset's newest result, which is all that tells of a series."""
    newest = select(Dataset.id).where(Dataset.source_id == dataset_id)
    found = session.scalar(newest.order_by(Dataset.version.desc()).limit(1))
    return input_bytes(session, found) if found is not None else 0


def ratio(session: Session, beamline: str, flow: str) -> float:
    """Return how many bytes of results a byte of raw data has led to: the largest of the last."""
    raw = aliased(Dataset)
    newest = (
        select(_bytes(Dataset.id).label("made"), _bytes(raw.id).label("read"))
        .select_from(Dataset)
        .join(raw, raw.id == Dataset.source_id)
        .where(Dataset.beamline_id == beamline, Dataset.flow == flow)
        .order_by(Dataset.id.desc())
        .limit(LAST)
        .subquery()
    )
    largest = select(func.max(cast(newest.c.made, Numeric) / func.nullif(newest.c.read, 0)))
    return float(session.scalar(largest) or UNKNOWN_RATIO)


def promised(session: Session) -> list[Promise]:
    """Return what the runs that were sent and have not ended were expected to write."""
    rows = session.execute(
        select(Dataset.output_folder, func.max(Dispatch.output_bytes))
        .join(Run, Run.dataset_id == Dataset.id)
        .join(Dispatch, Dispatch.run_id == Run.id)
        .where(
            Run.state.in_((RunState.WAITING, RunState.RUNNING)),
            Dispatch.sent_at.is_not(None),
            Dispatch.output_bytes.is_not(None),
            Dataset.output_folder.is_not(None),
        )
        .group_by(Run.id, Dataset.id)
    )
    return [Promise(folder, size) for folder, size in rows if folder and size]


def _bytes(dataset_id: InstrumentedAttribute[UUID]) -> ColumnElement[int]:
    return (
        select(func.coalesce(func.sum(DatasetFile.size), 0))
        .where(DatasetFile.dataset_id == dataset_id, DatasetFile.gone_at.is_(None))
        .scalar_subquery()
    )
