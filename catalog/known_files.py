"""The files that the catalogue knows in full, however many they are."""

from collections.abc import Iterator
from uuid import UUID

from sqlalchemy import Select, select, tuple_
from sqlalchemy.orm import Session

from catalog.models import Dataset, DatasetFile, Storage
from catalog.states import DatasetState, Kind

GROWING = (DatasetState.REGISTERED, DatasetState.INCOMPLETE)
AT_ONCE = 10_000


def known_files(session: Session, beamline: str) -> Iterator[tuple[str, int, int, int]]:
    """Yield absolute path, size, mtime_ns and inode of the files that need no second look.

    Those of datasets that still grow or miss something are left out, also where another entry of
    the same file is complete. They come as a stream, so that a million need no more memory than
    ten thousand.
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
            DatasetFile.gone_at.is_(None),
            tuple_(DatasetFile.storage_id, DatasetFile.path).not_in(_growing(beamline)),
        ),
        execution_options={"yield_per": AT_ONCE},
    )
    for root, path, size, mtime_ns, inode in rows:
        yield f"{root.rstrip('/')}/{path}", size, mtime_ns or 0, inode or 0


def _growing(beamline: str) -> Select[UUID, str]:
    """Select the files of datasets that still grow: another entry of such a file may be whole."""
    return (
        select(DatasetFile.storage_id, DatasetFile.path)
        .join(Dataset, Dataset.id == DatasetFile.dataset_id)
        .where(Dataset.beamline_id == beamline, Dataset.state.in_(GROWING))
    )
