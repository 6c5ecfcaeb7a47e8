"""What is seen of datasets while they grow: which ones there are, and what was seen last."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from catalog.models import Dataset, DatasetFile, LiveView, Storage
from catalog.states import DatasetState, Kind

GROWING = (DatasetState.REGISTERED, DatasetState.INCOMPLETE)
NEWS = timedelta(minutes=30)
"""How long one that does not grow is looked at."""


@dataclass(frozen=True)
class Target:
    """A dataset that grows, and where it stands."""

    dataset_id: UUID
    name: str
    technique: str
    path: Path
    inner_path: str
    format: str


@dataclass(frozen=True)
class Seen:
    """What was seen of it: images so far and planned, figures, a PNG, a sentence."""

    seen: int
    planned: int | None
    figures: dict[str, Any]
    picture: bytes | None
    note: str = ""
    updated_at: datetime | None = None


def growing(session: Session, techniques: Collection[str]) -> list[Target]:
    """Return raw datasets of some techniques that have begun to land and are not complete."""
    rows = session.execute(
        select(Dataset, DatasetFile, Storage.root)
        .join(DatasetFile, DatasetFile.dataset_id == Dataset.id)
        .join(Storage, Storage.id == DatasetFile.storage_id)
        .where(
            Dataset.state.in_(GROWING),
            Dataset.kind == Kind.RAW,
            Dataset.technique.in_(techniques),
            Dataset.state_at > func.now() - NEWS,
            DatasetFile.role.in_(("data", "series")),
            DatasetFile.gone_at.is_(None),
        )
        .order_by(Dataset.id)
    )
    return [
        Target(
            dataset_id=dataset.id,
            name=dataset.name,
            technique=dataset.technique,
            path=Path(root, file.path),
            inner_path=file.inner_path,
            format=dataset.format,
        )
        for dataset, file, root in rows
    ]


def show(session: Session, dataset_id: UUID, seen: Seen) -> None:
    """Keep what was seen of a dataset, in place of what was seen before."""
    values = {
        "seen": seen.seen,
        "planned": seen.planned,
        "figures": seen.figures,
        "picture": seen.picture,
        "note": seen.note,
        "updated_at": func.now(),
    }
    statement = insert(LiveView).values(dataset_id=dataset_id, **values)
    session.execute(
        statement.on_conflict_do_update(index_elements=[LiveView.dataset_id], set_=values)
    )


def forget(session: Session) -> None:
    """Drop the pictures of datasets that have a result, which shows the same for good."""
    with_result = select(Dataset.source_id).where(Dataset.is_current)
    session.execute(
        update(LiveView)
        .where(LiveView.picture.is_not(None), LiveView.dataset_id.in_(with_result))
        .values(picture=None)
    )


def latest(session: Session, dataset_id: UUID) -> Seen | None:
    """Return what was seen last of a dataset that the session may see; None if nothing was."""
    if session.scalar(select(Dataset.id).where(Dataset.id == dataset_id)) is None:
        return None
    row = session.execute(
        select(LiveView, LiveView.picture).where(LiveView.dataset_id == dataset_id)
    ).first()
    if row is None:
        return None
    view, picture = row
    return Seen(view.seen, view.planned, view.figures, picture, view.note, view.updated_at)
