"""One dataset with everything that the catalogue knows of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, defer

from catalog import live
from catalog.calibrations import waits_for
from catalog.models import (
    Beamline,
    Dataset,
    DatasetCalibration,
    DatasetFile,
    LifecycleEvent,
    Run,
    Storage,
)
from catalog.queries.datasets import summaries, with_names
from catalog.queries.results import content_url, latest_verdicts, quality_figures, results
from catalog.queries.runs import FlowRunUrl, run_detail, runs_of
from catalog.queries.views import (
    CalibrationView,
    DatasetDetail,
    DatasetSummary,
    EventView,
    FileView,
    LiveSummary,
    QualityFigure,
)
from catalog.states import DatasetState, Kind


def dataset_detail(
    session: Session, dataset_id: UUID, *, flow_run_url: FlowRunUrl | None = None
) -> DatasetDetail | None:
    """Return a dataset with its files, history, runs and results; None if there is none.

    Verdict, previews, quality figures and recipe are those of the dataset itself when it is
    derived, else those of its current result.
    """
    row = session.execute(with_names().where(Dataset.id == dataset_id)).first()
    if row is None:
        return None
    dataset = row[0]
    summary = summaries(session, [row])[0]
    calibrations = _calibrations(session, dataset_id)
    made_by = run_detail(session, dataset.run_id) if dataset.run_id else None
    runs = runs_of(session, dataset_id, flow_run_url)
    return DatasetDetail(
        **summary.model_dump(),
        entry_key=dataset.entry_key,
        parent=dataset.parent_id,
        members=_members(session, dataset),
        detector=dataset.detector,
        visibility=dataset.visibility,
        embargo_until=dataset.embargo_until if dataset.visibility == "embargoed" else None,
        purged_at=dataset.purged_at,
        metadata=dataset.meta,
        files=_files(session, dataset),
        calibrations=calibrations,
        waits_for=_missing(session, dataset, calibrations),
        events=_events(session, dataset_id, {run.id: run.version for run in runs}),
        runs=runs,
        versions=results(session, _versions(session, dataset_id)),
        live=_live(session, dataset_id),
        made_by=made_by,
        **_shown(session, summary),
    )


def _live(session: Session, dataset_id: UUID) -> LiveSummary | None:
    seen = live.latest(session, dataset_id)
    if seen is None or seen.picture is None or seen.updated_at is None:
        return None
    address = f"/api/datasets/{dataset_id}/live.png?at={seen.updated_at.timestamp():.0f}"
    return LiveSummary(seen=seen.seen, planned=seen.planned, note=seen.note, picture_url=address)


def _members(session: Session, dataset: Dataset) -> int:
    if not dataset.is_series:
        return 0
    scans = select(func.count(Dataset.id)).where(Dataset.parent_id == dataset.id)
    return session.scalar(scans) or 0


def _shown(session: Session, summary: DatasetSummary) -> dict[str, Any]:
    """Return what is shown of the result that the dataset has or is."""
    result = summary.result
    if result is None:
        return {}
    record = latest_verdicts(session, [result.dataset_id]).get(result.dataset_id)
    quality: list[QualityFigure] = quality_figures(record.quality) if record else []
    recipe = session.scalar(select(Run.parameters).where(Run.id == result.run_id))
    return {
        "previews": result.previews,
        "verdict": result.verdict,
        "reasons": result.reasons,
        "quality": quality,
        "recipe": recipe or {},
    }


def _files(session: Session, dataset: Dataset) -> list[FileView]:
    statement = (
        select(DatasetFile, Storage.name)
        .join(Storage, Storage.id == DatasetFile.storage_id)
        .where(DatasetFile.dataset_id == dataset.id)
        .order_by(DatasetFile.id)
    )
    is_served = dataset.kind == Kind.DERIVED
    return [
        FileView(
            id=file.id,
            path=file.path,
            storage=storage,
            inner_path=file.inner_path,
            role=file.role,
            size=file.size,
            count=file.count,
            gone_at=file.gone_at,
            fingerprint=file.fingerprint,
            digest=f"{file.digest_algorithm}:{file.digest}" if file.digest else None,
            media_type=file.media_type,
            content_url=content_url(dataset.id, file.id) if is_served else None,
        )
        for file, storage in session.execute(statement)
    ]


def _calibrations(session: Session, dataset_id: UUID) -> list[CalibrationView]:
    statement = (
        select(Dataset.id, Dataset.name, DatasetCalibration.role, Dataset.state)
        .join(DatasetCalibration, DatasetCalibration.calibration_id == Dataset.id)
        .where(DatasetCalibration.dataset_id == dataset_id)
        .order_by(DatasetCalibration.role, Dataset.id)
    )
    return [
        CalibrationView(dataset_id=key, name=name, role=role, state=state)
        for key, name, role, state in session.execute(statement)
    ]


def _missing(session: Session, dataset: Dataset, calibrations: list[CalibrationView]) -> list[str]:
    if dataset.state != DatasetState.WAITING_FOR_CALIBRATION:
        return []
    beamline = session.get_one(Beamline, dataset.beamline_id)
    linked = {calibration.role for calibration in calibrations}
    return [kind for kind in dataset.needs if kind not in linked and waits_for(beamline, kind)]


def _events(session: Session, dataset_id: UUID, versions: dict[UUID, int]) -> list[EventView]:
    """Return what happened to a dataset and to its runs (given by their versions), oldest first."""
    # The ids of the runs stand in the question: for a subquery in an OR all events are read.
    statement = (
        select(LifecycleEvent)
        .where(
            or_(LifecycleEvent.dataset_id == dataset_id, LifecycleEvent.run_id.in_(list(versions)))
        )
        .order_by(LifecycleEvent.id)
    )
    return [
        EventView(
            at=event.at,
            event=event.event,
            level=event.level,
            run_id=event.run_id,
            run_version=versions.get(event.run_id) if event.run_id else None,
            from_state=event.from_state,
            to_state=event.to_state,
            actor=event.actor,
            reason=event.reason,
            details=event.details,
        )
        for event in session.scalars(statement)
    ]


def _versions(session: Session, source_id: UUID) -> Sequence[Dataset]:
    statement = (
        select(Dataset)
        .where(Dataset.source_id == source_id)
        .order_by(Dataset.version.desc())
        .options(defer(Dataset.meta), defer(Dataset.search_text))
    )
    return session.scalars(statement).all()
