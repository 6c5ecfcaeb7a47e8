"""Where the bytes of a file lie, for the API that serves them."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.models import Dataset, DatasetFile, Storage
from catalog.queries import views
from catalog.queries.views import ServedFile


def served_file(session: Session, dataset_id: UUID, file_id: UUID) -> ServedFile | None:
    """Return where a file of a dataset lies; None when the dataset has no such file."""
    statement = (
        select(DatasetFile, Dataset.kind, Dataset.purged_at, Storage.name, Storage.root)
        .join(Dataset, Dataset.id == DatasetFile.dataset_id)
        .join(Storage, Storage.id == DatasetFile.storage_id)
        .where(DatasetFile.id == file_id, DatasetFile.dataset_id == dataset_id)
    )
    row = session.execute(statement).first()
    if row is None:
        return None
    file, kind, purged_at, storage, root = row
    return ServedFile(
        id=file.id,
        kind=kind,
        storage=storage,
        root=root,
        path=file.path,
        size=file.size,
        digest=f"{file.digest_algorithm}:{file.digest}" if file.digest else None,
        media_type=file.media_type,
        purged_at=purged_at,
    )


def storages(session: Session) -> list[views.Storage]:
    """Return all storages."""
    rows = session.execute(select(Storage.name, Storage.root).order_by(Storage.name))
    return [views.Storage(name=name, root=root) for name, root in rows]
