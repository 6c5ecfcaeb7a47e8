"""A dataset's files on the disk: each row of the catalogue, and the members of a series."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.models import DatasetFile, Storage

SERIES = "series"


@dataclass(frozen=True)
class Kept:
    """A row of the catalogue's files, with the folder of its storage.

    Attributes
    ----------
    id, storage_id : UUID
        Of the row and of its storage.
    root : Path
        The storage.
    path : str
        Below it: a file, or a series' folder.
    size, mtime_ns, inner_path, digest, algorithm
        What the catalogue knows of it.
    """

    id: UUID
    storage_id: UUID
    root: Path
    path: str
    role: str
    inner_path: str
    size: int
    mtime_ns: int | None
    digest: str | None
    algorithm: str | None

    @property
    def place(self) -> Path:
        """Where it lies."""
        return self.root / self.path

    @property
    def is_series(self) -> bool:
        """Whether the row stands for a folder of files."""
        return self.role == SERIES

    def members(self) -> list[str]:
        """Return the paths, below the storage, of the files that it consists of."""
        if not self.is_series:
            return [self.path]
        return sorted(f"{self.path}/{name}" for name in _inside(self.place))

    def look(self) -> tuple[int, int] | None:
        """Return size and time of change on the disk; None where it is not there."""
        try:
            found = [(self.root / each).stat() for each in self.members()]
        except FileNotFoundError:
            return None
        if not found:
            return None
        return sum(each.st_size for each in found), max(each.st_mtime_ns for each in found)


def kept_files(session: Session, dataset_id: UUID) -> list[Kept]:
    """Return the files that a dataset has here."""
    rows = session.execute(
        select(DatasetFile, Storage.root)
        .join(Storage, Storage.id == DatasetFile.storage_id)
        .where(DatasetFile.dataset_id == dataset_id, DatasetFile.gone_at.is_(None))
        .order_by(DatasetFile.id)
    )
    return [kept(row, root) for row, root in rows]


def kept(row: DatasetFile, root: str) -> Kept:
    """Return a row as plain values, which outlive its transaction."""
    return Kept(
        id=row.id,
        storage_id=row.storage_id,
        root=Path(root),
        path=row.path,
        role=row.role,
        inner_path=row.inner_path,
        size=row.size,
        mtime_ns=row.mtime_ns,
        digest=row.digest,
        algorithm=row.digest_algorithm,
    )


def _inside(folder: Path, prefix: str = "") -> Iterator[str]:
    """Yield the names of the files in a folder and below; links and hidden ones are left out."""
    with os.scandir(folder) as items:
        for item in items:
            if item.name.startswith("."):
                continue
            if item.is_dir(follow_symlinks=False):
                yield from _inside(Path(item.path), f"{prefix}{item.name}/")
            elif stat.S_ISREG(item.stat(follow_symlinks=False).st_mode):
                yield f"{prefix}{item.name}"
