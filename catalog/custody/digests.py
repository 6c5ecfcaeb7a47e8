"""Full digests in the background: a scan must not wait for them, a copy and a purge need them."""

from collections.abc import Callable
from uuid import UUID

from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from catalog.custody.files import Kept, kept
from catalog.custody.hashing import ALGORITHM, MANIFEST, digest_file, manifest_digest
from catalog.models import Dataset, DatasetFile, Storage
from catalog.states import DatasetState

GROWING = (DatasetState.REGISTERED, DatasetState.INCOMPLETE)


def digest_some(
    engine: Engine, after: UUID | None, is_over: Callable[[], bool]
) -> tuple[int, UUID | None]:
    """Hash files that have no digest yet, oldest first, and enter what was found at once.

    Parameters
    ----------
    engine : Engine
        The catalogue.
    after : UUID, optional
        The file at which the last call ended.
    is_over : callable
        Asked between two files whether to stop.

    Returns
    -------
    tuple
        How many files were hashed, and where to go on; None when the end was reached.
    """
    done = 0
    while not is_over():
        with Session(engine) as session:
            waiting = _without_digest(session, after)
        if not waiting:
            return done, None
        for each in waiting:
            if is_over():
                return done, after
            done += digest_kept(engine, each)
            after = each.id
    return done, after


def digest_kept(engine: Engine, file: Kept) -> bool:
    """Hash a file and enter its digest, if it is as the catalogue knows it, before and after.

    Returns
    -------
    bool
        False where it is gone, out of reach or changed: then a trigger, or nobody, comes first.
    """
    try:
        before = file.look()
        if before is None or not is_as_known(file, before):
            return False
        digest, algorithm = digest_of(file)
        if file.look() != before:
            return False
    except OSError:
        return False  # another host's storage, or a folder closed to us: it waits for its turn
    with Session(engine) as session, session.begin():
        enter_digest(session, file, digest, algorithm)
    return True


def digest_of(file: Kept) -> tuple[str, str]:
    """Read a file, or the members of a series, and return the digest and its algorithm."""
    if not file.is_series:
        return digest_file(file.place), ALGORITHM
    prefix = len(file.path) + 1
    members = [file.root / each for each in file.members()]
    return manifest_digest(
        (str(each.relative_to(file.root))[prefix:], each.stat().st_size, digest_file(each))
        for each in members
    ), MANIFEST


def is_as_known(file: Kept, seen: tuple[int, int]) -> bool:
    """Tell whether a file's size and time are those that the catalogue has.

    A series' row counts its images; its folder may hold notes besides, so only time would tell.
    """
    if file.is_series:
        return True
    size, mtime_ns = seen
    return size == file.size and file.mtime_ns in (None, mtime_ns)


def enter_digest(session: Session, file: Kept, digest: str, algorithm: str) -> None:
    """Enter a digest, also for the other datasets of the same file (entries of an HDF5 file)."""
    session.execute(
        update(DatasetFile)
        .where(
            DatasetFile.storage_id == file.storage_id,
            DatasetFile.path == file.path,
            DatasetFile.size == file.size,
            DatasetFile.mtime_ns.is_not_distinct_from(file.mtime_ns),
            DatasetFile.digest.is_(None),
            DatasetFile.gone_at.is_(None),
        )
        .values(digest=digest, digest_algorithm=algorithm)
    )


def _without_digest(session: Session, after: UUID | None, limit: int = 50) -> list[Kept]:
    wanted = (
        select(DatasetFile, Storage.root)
        .join(Storage, Storage.id == DatasetFile.storage_id)
        .join(Dataset, Dataset.id == DatasetFile.dataset_id)
        .where(
            DatasetFile.digest.is_(None),
            DatasetFile.gone_at.is_(None),
            Dataset.purged_at.is_(None),
            Dataset.state.not_in(GROWING),
        )
        .order_by(DatasetFile.id)
        .limit(limit)
    )
    if after is not None:
        wanted = wanted.where(DatasetFile.id > after)
    return [kept(row, root) for row, root in session.execute(wanted)]
