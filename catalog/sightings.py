"""What a trigger saw, and how it differs from what the catalogue knows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import case, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from catalog import memo, recipes
from catalog.errors import CatalogError
from catalog.models import Dataset, DatasetFile, uuid7

DIGEST = ("digest", "digest_algorithm")
RENEWED = ("size", "mtime_ns", "inode", "count", "fingerprint")


@dataclass(frozen=True)
class SightedFile:
    """A file as it was seen: its storage (by name or absolute folder), its path in it, its state.

    ``fingerprint`` stands for the content; ``inode`` 0 means unknown; a series has its ``count``.
    """

    storage: str
    path: str
    inner_path: str
    role: str
    size: int
    mtime_ns: int
    fingerprint: str
    inode: int = 0
    count: int = 1


@dataclass(frozen=True)
class SeriesMark:
    """What scans of a series share: ``of`` names their file, folder, sample or another part."""

    by: Literal["file", "folder", "sample", "template"]
    of: str


@dataclass(frozen=True)
class Sighting:
    """What a trigger saw of one dataset.

    ``has_identity`` tells whether the data themselves say which scan they are (a uid or a start
    time); if not, another file under the same name is another dataset. ``rule`` is that of the
    beamline which took it; ``reported_uid`` and ``reported_start`` come from others than the data,
    and ``sample_fields`` are what a sidecar or a report tells about the sample. ``series`` is what
    it shares with others of its series.
    """

    beamline: str
    entry_key: str
    name: str
    technique: str
    kind: Literal["raw", "calibration"]
    stage: Literal["opened", "grown", "complete", "incomplete", "aborted", "broken"]
    files: Sequence[SightedFile]
    calibration_kinds: Sequence[str] = ()
    detector: str = ""
    reason: str | None = None
    uid: str | None = None
    started_at: datetime | None = None
    proposal: str | None = None
    visit: str | None = None
    sample: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    needs: Sequence[str] = ()
    format: str = ""
    inner_path: str = ""
    has_identity: bool = True
    actor: str = "trigger"
    rule: str = ""
    reported_uid: str | None = None
    reported_start: datetime | None = None
    sample_fields: dict[str, Any] = field(default_factory=dict[str, Any])
    series: SeriesMark | None = None


@dataclass(frozen=True)
class Changes:
    """How the files of a sighting differ from those that the catalogue knows.

    ``touched`` lists the files with any difference, ``content`` the paths of those with other
    bytes, ``before`` and ``after`` their fingerprints. ``other_file`` tells whether one of them is
    another file under the same name rather than the same file with other bytes, and ``moved``
    whether all of them are known bytes in a new place.
    """

    touched: list[SightedFile]
    content: list[str]
    before: dict[str, str | None]
    after: dict[str, str]
    other_file: bool
    moved: bool


def check_names(files: Sequence[SightedFile]) -> None:
    """Refuse names that the catalogue could not give back as they are.

    Raises
    ------
    CatalogError
        A file's name is not valid UTF-8.
    """
    for file in files:
        try:
            file.path.encode()
        except UnicodeEncodeError:
            raise CatalogError(
                f"The name of {file.path!a} in {file.storage} is not valid UTF-8, so nobody could "
                "find it again: rename the file."
            ) from None


def compare(session: Session, dataset: Dataset, files: Sequence[SightedFile]) -> Changes:
    """Compare sighted files with a dataset's rows."""
    rows = session.scalars(select(DatasetFile).where(DatasetFile.dataset_id == dataset.id))
    known = {(row.storage_id, row.path, row.inner_path, row.role): row for row in rows}
    bytes_ = {(row.role, row.fingerprint) for row in known.values()}
    storages = _storages(session, files)
    pairs = [
        (file, known.get((storages[file.storage], file.path, file.inner_path, file.role)))
        for file in files
    ]
    touched = [(file, row) for file, row in pairs if row is None or not _same_state(row, file)]
    content = [(file, row) for file, row in touched if row is None or _other_bytes(row, file)]
    return Changes(
        touched=[file for file, _ in touched],
        content=[file.path for file, _ in content],
        before={file.path: row.fingerprint if row else None for file, row in content},
        after={file.path: file.fingerprint for file, _ in content},
        other_file=any(row is None or row.inode != file.inode for file, row in content),
        moved=all(row is None and (file.role, file.fingerprint) in bytes_ for file, row in content),
    )


def enter_files(session: Session, dataset: Dataset, files: Sequence[SightedFile]) -> None:
    """Make these the files of a dataset; others that it had are marked as gone."""
    session.flush()
    of_dataset = update(DatasetFile).where(DatasetFile.dataset_id == dataset.id)
    session.execute(of_dataset.where(DatasetFile.gone_at.is_(None)).values(gone_at=func.now()))
    _upsert(session, dataset, files, {"gone_at": None})


def renew_files(session: Session, dataset: Dataset, files: Sequence[SightedFile]) -> None:
    """Enter what changed about files that a dataset has, such as their times."""
    _upsert(session, dataset, files, {})


def _upsert(
    session: Session, dataset: Dataset, files: Sequence[SightedFile], more: dict[str, None]
) -> None:
    storages = _storages(session, files)
    for file in files:
        row = insert(DatasetFile).values(
            id=uuid7(),
            dataset_id=dataset.id,
            storage_id=storages[file.storage],
            path=file.path,
            inner_path=file.inner_path,
            role=file.role,
            **{column: getattr(file, column) for column in RENEWED},
        )
        renewed = {column: row.excluded[column] for column in RENEWED}
        is_other = or_(
            DatasetFile.size != row.excluded["size"],
            DatasetFile.fingerprint.is_distinct_from(row.excluded["fingerprint"]),
        )
        # Of bytes that changed or grew, nobody knows the digest yet.
        digest = {name: case((is_other, None), else_=getattr(DatasetFile, name)) for name in DIGEST}
        session.execute(
            row.on_conflict_do_update(
                index_elements=["dataset_id", "storage_id", "path", "inner_path", "role"],
                set_={**renewed, **digest, **more},
            )
        )


def _storages(session: Session, files: Sequence[SightedFile]) -> dict[str, UUID]:
    names = {file.storage for file in files}
    return {name: storage_id(session, name) for name in names}


def storage_id(session: Session, name: str) -> UUID:
    """Return the id of a storage by its name or folder."""
    return memo.once(session, ("storage", name), lambda: recipes.storage(session, name).id)


def _same_state(row: DatasetFile, file: SightedFile) -> bool:
    return all(getattr(row, column) == getattr(file, column) for column in RENEWED)


def _other_bytes(row: DatasetFile, file: SightedFile) -> bool:
    """Tell whether the bytes of a scan changed; a file of many scans may grow by others."""
    grew = bool(file.inner_path) and row.inode == file.inode and file.size > row.size
    return row.fingerprint != file.fingerprint and not grew
