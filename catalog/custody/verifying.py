"""Reading every byte again: what rotted, here or in a copy, is found and told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Engine, func, or_, select
from sqlalchemy.orm import Session

from catalog.custody.digests import digest_kept, digest_of
from catalog.custody.files import Kept, kept_files
from catalog.custody.guard import alone, dataset_of
from catalog.custody.hashing import MANIFEST, digest_file
from catalog.custody.place import Place
from catalog.custody.views import Finding, Verified
from catalog.errors import CatalogError
from catalog.lifecycle import note
from catalog.models import Dataset, DatasetFile, Replica, ReplicaFile

ORIGINAL = "original"
OpenPlace = Callable[[str], Place]
NAMED_FILES = 20


@dataclass(frozen=True)
class Original:
    """The digest that one file of a dataset must have."""

    row: Kept
    path: str
    digest: str
    algorithm: str


def to_verify(session: Session) -> list[UUID]:
    """Return the datasets of which there is anything to compare: copies, or digests."""
    digested = select(DatasetFile.dataset_id).where(DatasetFile.digest.is_not(None))
    copied = select(Replica.dataset_id).where(Replica.state != "gone")
    wanted = select(Dataset.id).where(
        or_(Dataset.id.in_(digested), Dataset.id.in_(copied)),
    )
    return list(session.scalars(wanted.order_by(Dataset.id)))


def verify(engine: Engine, dataset_id: UUID, open_place: OpenPlace, *, actor: str) -> Verified:
    """Hash all copies of a dataset and its originals, and compare with the catalogue.

    A copy is then verified or damaged. What is damaged is an alarm that names the files; a
    damaged copy of a good original is mended by archiving again. Originals without a digest get
    theirs.

    Parameters
    ----------
    engine : Engine
        The catalogue.
    dataset_id : UUID
        What to look at.
    open_place : callable
        Opens the place of an address.
    actor : str
        Who looks.

    Raises
    ------
    CatalogError
        A place is out of reach, which tells nothing about what lies there.
    """
    with alone(engine, dataset_id):
        findings, files, bytes_ = verify_originals(engine, dataset_id, actor)
        with Session(engine) as session:
            dataset = dataset_of(session, dataset_id)
            made = select(Replica.id).where(
                Replica.dataset_id == dataset_id, Replica.state.in_(("verified", "damaged"))
            )
            name, replicas = dataset.name, session.scalars(made).all()
        for replica in replicas:
            found = verify_copy(engine, replica, open_place, actor)
            findings, files, bytes_ = (
                [*findings, *found.findings],
                files + found.files,
                bytes_ + found.bytes,
            )
    return Verified(dataset_id=dataset_id, name=name, files=files, bytes=bytes_, findings=findings)


# -- copies ---------------------------------------------------------------------------------


def verify_copy(engine: Engine, replica_id: UUID, open_place: OpenPlace, actor: str) -> Verified:
    """Read a copy back, and enter what it is: verified at this moment, or damaged."""
    with Session(engine) as session:
        replica = session.get_one(Replica, replica_id)
        dataset = session.get_one(Dataset, replica.dataset_id)
        address, name = replica.place, dataset.name
        rows = session.scalars(select(ReplicaFile).where(ReplicaFile.replica_id == replica_id))
        files = [(row.path, row.size, row.digest, row.digest_algorithm) for row in rows]
        dataset_id = dataset.id
    place = open_place(address).open_for_copies(is_new=False)
    checked = ((file[0], _copy_problem(place, *file)) for file in files)
    findings = [
        Finding(where=address, path=path, problem=problem) for path, problem in checked if problem
    ]
    if not files:
        findings = [Finding(where=address, path="", problem="no file of it was ever copied")]
    with Session(engine) as session, session.begin():
        _enter_copy(session, replica_id, findings, actor)
    return Verified(
        dataset_id=dataset_id,
        name=name,
        files=len(files),
        bytes=sum(size for _, size, *_ in files),
        findings=findings,
    )


def _copy_problem(place: Place, path: str, size: int, digest: str, algorithm: str) -> str | None:
    found = place.size(path)
    if found is None:
        return "it is not there"
    if found != size:
        return f"it has {found} bytes where there were {size}"
    try:
        same = place.digest(path, algorithm) == digest
    except OSError as error:
        return f"it cannot be read ({error})"
    return None if same else f"its {algorithm} is another one: bytes rotted or were changed"


def _enter_copy(
    session: Session, replica_id: UUID, findings: Sequence[Finding], actor: str
) -> None:
    replica = session.get_one(Replica, replica_id, with_for_update=True)
    dataset = session.get_one(Dataset, replica.dataset_id)
    was, replica.note = replica.state, None
    if not findings:
        replica.state, replica.verified_at = "verified", func.clock_timestamp()
        if was == "damaged":
            note(session, dataset, "copy_mended", actor=actor, details={"place": replica.place})
        return
    replica.state, replica.note = "damaged", _sentence(findings)
    _alarm(session, dataset, "copy_damaged", findings, actor, f"The copy at {replica.place}")


# -- originals ------------------------------------------------------------------------------


def verify_originals(
    engine: Engine, dataset_id: UUID, actor: str
) -> tuple[list[Finding], int, int]:
    """Read the files that lie here; return what is wrong, how many were read, and their bytes."""
    with Session(engine) as session:
        purged = dataset_of(session, dataset_id).purged_at is not None
        rows = [] if purged else kept_files(session, dataset_id)
        wanted = [each for row in rows if row.digest for each in _originals(session, row)]
    for row in rows:
        if row.digest is None:
            digest_kept(engine, row)
    checked = [(each, _original_problem(each)) for each in wanted]
    findings = [
        Finding(where=ORIGINAL, path=str(each.row.root / each.path), problem=problem)
        for each, problem in checked
        if problem
    ]
    if findings:
        with Session(engine) as session, session.begin():
            dataset = session.get_one(Dataset, dataset_id)
            _alarm(session, dataset, "original_damaged", findings, actor, "The original")
    return findings, len(wanted), sum(row.size for row in rows if row.digest)


def _originals(session: Session, row: Kept) -> list[Original]:
    """List what must be there: of a series its members, by a copy's list if there is one."""
    if not row.is_series:
        return [Original(row, row.path, str(row.digest), str(row.algorithm))]
    copies = session.scalars(
        select(ReplicaFile)
        .join(Replica, Replica.id == ReplicaFile.replica_id)
        .where(ReplicaFile.file_id == row.id, Replica.state != "gone")
    )
    members = {f"{row.path}/{each.path.split(f'{row.path}/', 1)[1]}": each for each in copies}
    if not members:
        return [Original(row, row.path, str(row.digest), MANIFEST)]
    return [
        Original(row, path, each.digest, each.digest_algorithm)
        for path, each in sorted(members.items())
    ]


def _original_problem(original: Original) -> str | None:
    path = original.row.root / original.path
    try:
        if original.algorithm == MANIFEST:
            digest, _ = digest_of(original.row)
        else:
            size = path.stat().st_size
            if not original.row.is_series and size != original.row.size:
                return _other_size(original.row, size)
            digest = digest_file(path, original.algorithm)
    except FileNotFoundError:
        return "it is not there"
    except OSError as error:
        return f"it cannot be read ({error})"
    if digest == original.digest:
        return None
    return f"its {original.algorithm} is another one: bytes rotted or were changed"


def _other_size(row: Kept, size: int) -> str | None:
    """Say what is wrong with a size; a file of many entries may grow by others."""
    if row.inner_path and size > row.size:
        return None
    return f"it has {size} bytes where the catalogue knows {row.size}"


def _alarm(
    session: Session,
    dataset: Dataset,
    event: str,
    findings: Sequence[Finding],
    actor: str,
    what: str,
) -> None:
    details = {
        "files": [each.path for each in findings[:1000]],
        "problems": [each.problem for each in findings[:1000]],
    }
    note(
        session,
        dataset,
        event,
        actor=actor,
        reason=f"{what} of {dataset.name} is damaged: {_sentence(findings)}",
        details=details,
        alarm=True,
    )


def _sentence(findings: Sequence[Finding]) -> str:
    named = "; ".join(f"{each.path}: {each.problem}" for each in findings[:NAMED_FILES])
    more = len(findings) - NAMED_FILES
    return named + (f"; and {more} more files" if more > 0 else "") + "."


def open_places(places: Sequence[Place]) -> OpenPlace:
    """Open a place by the address that the catalogue has.

    Parameters
    ----------
    places : sequence of Place
        Those of the settings; other addresses are opened without options.
    """
    known = {place.address: place for place in places}

    def opened(address: str) -> Place:
        try:
            return known.get(address) or Place(address)
        except CatalogError as error:
            raise CatalogError(
                f"{error} (archive.options belong to archive.place alone.)"
            ) from None

    return opened
