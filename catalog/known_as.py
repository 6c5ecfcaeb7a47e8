"""What the catalogue knows a file as."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from catalog.models import Dataset, DatasetFile, Storage


@dataclass(frozen=True)
class KnownAs:
    """A dataset that a file belongs to, or belonged to (``gone_at``)."""

    id: UUID
    name: str
    kind: str
    beamline: str
    rule: str
    state: str
    state_reason: str | None
    role: str
    inner_path: str
    gone_at: datetime | None


def known_as(session: Session, path: Path) -> list[KnownAs]:
    """Return the datasets that a file or the folder of a series belongs to, newest first."""
    above = {str(parent): path.relative_to(parent).as_posix() for parent in path.parents}
    storages = session.execute(select(Storage.id, Storage.root).where(Storage.root.in_(above)))
    places = [(id, above[root]) for id, root in storages]
    if not places:
        return []
    rows = session.execute(
        select(Dataset, DatasetFile)
        .join(DatasetFile, DatasetFile.dataset_id == Dataset.id)
        .where(tuple_(DatasetFile.storage_id, DatasetFile.path).in_(places))
        .order_by(Dataset.id.desc())
    )
    return [
        KnownAs(
            id=dataset.id,
            name=dataset.name,
            kind=dataset.kind,
            beamline=dataset.beamline_id,
            rule=dataset.rule,
            state=dataset.state,
            state_reason=dataset.state_reason,
            role=file.role,
            inner_path=file.inner_path,
            gone_at=file.gone_at,
        )
        for dataset, file in rows
    ]
