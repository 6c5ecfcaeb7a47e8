"""Copies: made, read back, and only then entered as what they are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from uuid import UUID

from sqlalchemy import Engine, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from catalog.custody.digests import GROWING, enter_digest, is_as_known
from catalog.custody.files import Kept, kept_files
from catalog.custody.guard import alone, dataset_of
from catalog.custody.hashing import ALGORITHM, MANIFEST, digest_file, manifest_digest
from catalog.custody.place import Place
from catalog.custody.views import Archived
from catalog.errors import CatalogError
from catalog.lifecycle import note
from catalog.models import Dataset, Replica, ReplicaFile, uuid7

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Member:
    """A file to copy, and the row that it belongs to."""

    row: Kept
    path: str

    @property
    def algorithm(self) -> str:
        """The algorithm by which its copy is compared."""
        single = not self.row.is_series and self.row.algorithm
        return single or ALGORITHM


class Distrust(Exception):  # noqa: N818 - it names a finding; told as a CatalogError
    """A file is not what the catalogue knows, or its copy is not what was read."""


@dataclass(frozen=True)
class Copied:
    """A file of a copy that was read back."""

    member: Member
    path: str
    size: int
    digest: str


def archive(
    engine: Engine,
    dataset_id: UUID,
    place: Place,
    *,
    actor: str,
    retention: timedelta | None = None,
    tell: Tell = lambda _: None,
) -> Archived:
    """Copy a dataset, hash the copy by reading it back, and record it.

    What a crash cut short goes on where it was; what is damaged there is copied again.

    Parameters
    ----------
    engine : Engine
        The catalogue.
    dataset_id : UUID
        What to copy: all of its files.
    place : Place
        Where to.
    actor : str
        Who wants it.
    retention : timedelta, optional
        How long the copy is to be kept; for ever by default.
    tell : callable
        Told each file before it is copied.

    Raises
    ------
    CatalogError
        The dataset still grows or is gone, the place cannot be used, or a file's bytes are not
        those that the catalogue knows: nothing is then entered as a copy.
    """
    with alone(engine, dataset_id):
        place.open_for_copies(is_new=not _known(engine, place))
        with Session(engine) as session, session.begin():
            dataset, files = _archivable(session, dataset_id)
            replica = begin(session, dataset, place.address, actor=actor, retention=retention)
            if replica.state == "verified" and _covers(session, replica, files):
                return _told(session, dataset, replica, copied=0)
            replica.state, replica.note = "copying", None
            replica_id = replica.id
        copied = _copy_all(engine, replica_id, files, place, actor, tell)
        with Session(engine) as session, session.begin():
            return _finish(session, replica_id, files, actor, copied)


def begin(
    session: Session,
    dataset: Dataset,
    address: str,
    *,
    actor: str,
    retention: timedelta | None = None,
) -> Replica:
    """Write down that a copy is wanted, once; it is ``copying`` until it is there."""
    until = datetime.now(UTC) + retention if retention else None
    values = {"dataset_id": dataset.id, "place": address, "actor": actor, "retention_until": until}
    wish = insert(Replica).values(id=uuid7(), **values)
    session.execute(wish.on_conflict_do_nothing(index_elements=["dataset_id", "place"]))
    mine = select(Replica).where(Replica.dataset_id == dataset.id, Replica.place == address)
    return session.scalars(mine.with_for_update()).one()


def ask_for_copy(session: Session, dataset_id: UUID, address: str, *, actor: str) -> None:
    """Write down that a copy is wanted; the caretaker makes it.

    Raises
    ------
    CatalogError
        The dataset still grows, or was purged.
    """
    dataset = dataset_of(session, dataset_id)
    check_archivable(dataset)
    replica = begin(session, dataset, address, actor=actor)
    if replica.state != "verified":
        replica.state = "copying"


def check_archivable(dataset: Dataset) -> None:
    """Refuse a copy of what is not whole.

    Raises
    ------
    CatalogError
        It still grows, was purged, or has no files of its own.
    """
    if dataset.purged_at is not None:
        raise CatalogError(f"{dataset.name} was purged at {dataset.purged_at}: nothing to copy.")
    if dataset.is_series:
        raise CatalogError(
            f"{dataset.name} is a series, which has no files of its own: archive its scans and "
            "its results."
        )
    if dataset.state in GROWING:
        raise CatalogError(
            f"{dataset.name} is {dataset.state}: it is copied when it is complete, or accepted as "
            f"it is (`dayseye accept {dataset.id}`)."
        )


def _known(engine: Engine, place: Place) -> bool:
    with Session(engine) as session:
        made = select(Replica.id).where(Replica.place == place.address, Replica.state == "verified")
        return session.scalar(made.limit(1)) is not None


def _archivable(session: Session, dataset_id: UUID) -> tuple[Dataset, list[Kept]]:
    dataset = dataset_of(session, dataset_id)
    check_archivable(dataset)
    files = kept_files(session, dataset_id)
    if not files:
        raise CatalogError(f"{dataset.name} has no files here.")
    return dataset, files


def _covers(session: Session, replica: Replica, files: Sequence[Kept]) -> bool:
    copied = select(ReplicaFile.file_id).where(ReplicaFile.replica_id == replica.id)
    return {each.id for each in files} <= set(session.scalars(copied))


# -- copying --------------------------------------------------------------------------------


def _copy_all(
    engine: Engine, replica_id: UUID, files: Sequence[Kept], place: Place, actor: str, tell: Tell
) -> int:
    """Copy what is not there yet; the first file that cannot be trusted ends it, with an alarm."""
    copied = 0
    for file in files:
        try:
            copied += _copy_row(engine, replica_id, file, place, tell)
        except Distrust as problem:
            raise _given_up(engine, replica_id, file, str(problem), actor) from None
        except OSError as error:
            raise CatalogError(
                f"{file.place} could not be copied to {place.address} ({error}). The copy goes on "
                "where it stopped when this is mended."
            ) from None
    return copied


def _copy_row(engine: Engine, replica_id: UUID, file: Kept, place: Place, tell: Tell) -> int:
    """Copy a file, or the members of a series; return how many were copied now."""
    before = _trusted(file)
    copied = 0
    for path in file.members():
        member = Member(file, path)
        with Session(engine) as session:
            known = _known_copy(session, replica_id, member)
        if known is not None and _is_whole(place, known):
            continue
        tell(path)
        done = _copy(place, member, known, replica_id.hex[:12])
        with Session(engine) as session, session.begin():
            _enter(session, replica_id, done)
        copied += 1
    if file.look() != before:
        raise Distrust(f"{file.place} changed while it was copied")
    return copied


def _trusted(file: Kept) -> tuple[int, int]:
    """Return size and time of an original that is as the catalogue knows it."""
    seen = file.look()
    if seen is None:
        raise Distrust(f"{file.place} is not there")
    if not file.is_series and seen[0] != file.size:
        raise Distrust(f"{file.place} has {seen[0]} bytes where the catalogue knows {file.size}")
    if file.digest is None and not is_as_known(file, seen):
        raise Distrust(f"{file.place} was changed since it arrived")
    return seen


def _is_whole(place: Place, copy: ReplicaFile) -> bool:
    whole = copy.size == place.size(copy.path)
    return whole and place.digest(copy.path, copy.digest_algorithm) == copy.digest


def _copy(place: Place, member: Member, known: ReplicaFile | None, tag: str) -> Copied:
    """Copy one file and read the copy back."""
    source, algorithm = member.row.root / member.path, member.algorithm
    path, is_there = _target(place, member, known)
    if is_there:
        size, digest = source.stat().st_size, place.digest(path, algorithm)
    else:
        size, digest = place.put(source, path, algorithm, tag)
    expected = None if member.row.is_series else member.row.digest
    if expected not in (None, digest):
        if not is_there:
            place.remove(path)
        raise Distrust(f"{source} no longer has the bytes that the catalogue knows ({algorithm})")
    if not is_there and place.digest(path, algorithm) != digest:
        place.remove(path)
        raise Distrust(f"the copy of {source} at {place.address} reads back with other bytes")
    return Copied(member, path, size, digest)


def _target(place: Place, member: Member, known: ReplicaFile | None) -> tuple[str, bool]:
    """Return where the copy goes, and whether the same bytes lie there already.

    Nothing is written over, such as the copy of a file before it grew, unless it is a damaged copy
    of this very file. Entries of one HDF5 file share their copy.
    """
    source, algorithm = member.row.root / member.path, member.algorithm
    if known is not None and known.digest == digest_file(source, known.digest_algorithm):
        return known.path, False
    storage = str(member.row.root).strip("/").replace("/", "_")
    wanted = PurePosixPath(storage) / member.path
    size = place.size(str(wanted))
    if size is None:
        return str(wanted), False
    if size == source.stat().st_size and (
        place.digest(str(wanted), algorithm) == digest_file(source, algorithm)
    ):
        return str(wanted), True
    return str(wanted.with_name(f"{wanted.stem}.{member.row.id.hex}{wanted.suffix}")), False


def _known_copy(session: Session, replica_id: UUID, member: Member) -> ReplicaFile | None:
    """Return the row of a member's copy, if it was copied before."""
    rows = select(ReplicaFile).where(
        ReplicaFile.replica_id == replica_id, ReplicaFile.file_id == member.row.id
    )
    if member.row.is_series:
        rows = rows.where(ReplicaFile.path.endswith(f"/{member.path}", autoescape=True))
    return session.scalars(rows.order_by(ReplicaFile.id.desc()).limit(1)).first()


def _enter(session: Session, replica_id: UUID, done: Copied) -> None:
    values = {
        "file_id": done.member.row.id,
        "size": done.size,
        "digest": done.digest,
        "digest_algorithm": done.member.algorithm,
    }
    row = insert(ReplicaFile).values(id=uuid7(), replica_id=replica_id, path=done.path, **values)
    keys = ["replica_id", "path"]
    session.execute(row.on_conflict_do_update(index_elements=keys, set_=values))


def _given_up(
    engine: Engine, replica_id: UUID, file: Kept, problem: str, actor: str
) -> CatalogError:
    """Write down that there is no copy since an original cannot be trusted; return the error."""
    with Session(engine) as session, session.begin():
        replica = session.get_one(Replica, replica_id, with_for_update=True)
        replica.state, replica.note = "damaged", problem
        note(
            session,
            session.get_one(Dataset, replica.dataset_id),
            "not_archived",
            actor=actor,
            reason=f"Not archived: {problem}.",
            details={"path": str(file.place), "place": replica.place},
            alarm=True,
        )
    return CatalogError(f"Not archived: {problem}.")


# -- the end --------------------------------------------------------------------------------


def _finish(
    session: Session, replica_id: UUID, files: Sequence[Kept], actor: str, copied: int
) -> Archived:
    """Declare the copy verified: each of its files was read back."""
    replica = session.get_one(Replica, replica_id, with_for_update=True)
    dataset = session.get_one(Dataset, replica.dataset_id)
    rows = session.scalars(select(ReplicaFile).where(ReplicaFile.replica_id == replica_id)).all()
    for file in files:
        own = [row for row in rows if row.file_id == file.id]
        _learn_digest(session, file, own)
    replica.state, replica.verified_at = "verified", func.clock_timestamp()
    replica.bytes = sum(row.size for row in rows)
    details = {"place": replica.place, "files": len(rows), "bytes": replica.bytes}
    note(session, dataset, "archived", actor=actor, details=details)
    return _told(session, dataset, replica, copied)


def _learn_digest(session: Session, file: Kept, copies: Sequence[ReplicaFile]) -> None:
    """Enter the digest that the copying computed, where the catalogue had none."""
    if file.digest is not None or not copies:
        return
    if file.is_series:
        names = [(each.path.split(f"{file.path}/", 1)[1], each) for each in copies]
        digest = manifest_digest((name, each.size, each.digest) for name, each in names)
        enter_digest(session, file, digest, MANIFEST)
    else:
        enter_digest(session, file, copies[-1].digest, copies[-1].digest_algorithm)


def _told(session: Session, dataset: Dataset, replica: Replica, copied: int) -> Archived:
    session.flush()
    files = select(func.count()).where(ReplicaFile.replica_id == replica.id)
    return Archived(
        dataset_id=dataset.id,
        name=dataset.name,
        place=replica.place,
        state=replica.state,
        files=session.scalar(files) or 0,
        bytes=replica.bytes,
        copied=copied,
    )
