"""Results: derived datasets with their verdict and pictures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session, defer

from catalog.models import Dataset, DatasetFile, VerdictRecord
from catalog.queries.views import Preview, QualityFigure, Result
from catalog.verdicts import sentence

PICTURES = ("image/png", "image/jpeg")

# units that the name of a figure may end in
UNITS = {
    "_px": "px",
    "_percent": "%",
    "_deg": "°",
    "_degrees": "°",
    "_per_cm": "1/cm",
    "_um": "µm",
    "_mm": "mm",
    "_ev": "eV",
    "_kev": "keV",
    "_per_angstrom": "1/Å",
    "_angstrom": "Å",
    "_angstrom2": "Å²",
    "_seconds": "s",
}


def full_name(name: str, version: int | None) -> str:
    """Return the name of a dataset, with the version that tells results of a scan apart."""
    return name if version is None else f"{name} v{version:03d}"


def content_url(dataset_id: UUID, file_id: UUID) -> str:
    """Return where the API serves a file, relative to its address."""
    return f"/api/datasets/{dataset_id}/files/{file_id}/content"


def results(session: Session, derived: Sequence[Dataset]) -> list[Result]:
    """Return derived datasets as results, in the order given; two queries however many."""
    ids = [dataset.id for dataset in derived]
    verdicts = latest_verdicts(session, ids)
    pictures = previews(session, ids)
    return [
        Result(
            dataset_id=dataset.id,
            name=full_name(dataset.name, dataset.version),
            version=dataset.version or 0,
            is_current=dataset.is_current,
            verdict=dataset.verdict,
            reasons=reasons(verdicts.get(dataset.id)),
            run_id=dataset.run_id,
            created_at=dataset.created_at,
            previews=pictures[dataset.id],
        )
        for dataset in derived
    ]


def current_results(session: Session, sources: Collection[UUID]) -> dict[UUID, Result]:
    """Return the current result of each source that has one; of several flows, the newest."""
    statement = (
        select(Dataset)
        .ext(distinct_on(Dataset.source_id))
        .where(Dataset.source_id.in_(sources), Dataset.is_current)
        .order_by(Dataset.source_id, Dataset.id.desc())
        .options(defer(Dataset.meta), defer(Dataset.search_text))
    )
    derived = session.scalars(statement).all()
    return {
        dataset.source_id: result
        for dataset, result in zip(derived, results(session, derived), strict=True)
        if dataset.source_id
    }


def latest_verdicts(session: Session, ids: Collection[UUID]) -> dict[UUID, VerdictRecord]:
    """Return the verdict that holds, for each dataset that has one."""
    statement = (
        select(VerdictRecord)
        .ext(distinct_on(VerdictRecord.dataset_id))
        .where(VerdictRecord.dataset_id.in_(ids))
        .order_by(VerdictRecord.dataset_id, VerdictRecord.id.desc())
    )
    return {record.dataset_id: record for record in session.scalars(statement)}


def reasons(record: VerdictRecord | None) -> list[str]:
    """Return the sentences of a verdict."""
    return [sentence(reason) for reason in record.reasons] if record else []


def previews(session: Session, ids: Collection[UUID]) -> defaultdict[UUID, list[Preview]]:
    """Return the pictures of each dataset, in the order in which the flow entered them."""
    statement = (
        select(DatasetFile.id, DatasetFile.dataset_id, DatasetFile.path)
        .where(DatasetFile.dataset_id.in_(ids), DatasetFile.media_type.in_(PICTURES))
        .order_by(DatasetFile.id)
    )
    found: defaultdict[UUID, list[Preview]] = defaultdict(list)
    for file_id, dataset_id, path in session.execute(statement):
        name = path.rpartition("/")[2].rpartition(".")[0]
        url = content_url(dataset_id, file_id)
        found[dataset_id].append(
            Preview(file_id=file_id, dataset_id=dataset_id, name=name, url=url)
        )
    return found


def quality_figures(quality: dict[str, Any]) -> list[QualityFigure]:
    """Return the figures of a verdict with their units, by name.

    A figure is a plain value, whose name may end in its unit, or ``{"value": ..., "unit": ...}``.
    """
    return [_figure(name, value) for name, value in sorted(quality.items())]


def _figure(name: str, value: Any) -> QualityFigure:
    if isinstance(value, dict) and "value" in value:
        figure = cast("dict[str, Any]", value)
        return QualityFigure(name=name, value=figure["value"], unit=str(figure.get("unit") or ""))
    for ending, unit in UNITS.items():
        if name.lower().endswith(ending):
            return QualityFigure(name=name[: -len(ending)], value=value, unit=unit)
    return QualityFigure(name=name, value=value)
