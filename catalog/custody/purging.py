"""Purging: a verified copy first, then the tombstone, then the files; cut short, it goes on."""

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from uuid import UUID

from sqlalchemy import Engine, exists, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from catalog import recipes
from catalog.connection import LOCK
from catalog.custody.files import Kept, kept_files
from catalog.custody.guard import alone, dataset_of
from catalog.custody.obstacles import obstacle
from catalog.custody.unlink import unlink_below
from catalog.custody.verifying import OpenPlace, verify_copy
from catalog.custody.views import Purgeable, Purged
from catalog.errors import CatalogError
from catalog.lifecycle import note
from catalog.models import Beamline, Dataset, DatasetFile, Replica, ReplicaFile
from catalog.models.dataset import SERIES
from catalog.states import Kind


def purgeable(
    session: Session,
    *,
    datasets: Sequence[UUID] = (),
    beamline: str | None = None,
    raw: bool = False,
    limit: int = 1000,
) -> list[Purgeable]:
    """List what a purge would remove, and what keeps the rest: nothing is touched.

    Parameters
    ----------
    session : Session
        The catalogue.
    datasets : sequence of UUID
        These, whatever keeps them; by default all whose retention has passed.
    beamline : str, optional
        Of this beamline alone.
    raw : bool
        Raw data too, where the beamline's settings allow it.
    limit : int
        So many at most, oldest first.
    """
    wanted = (
        select(Dataset, Beamline)
        .join(Beamline, Beamline.id == Dataset.beamline_id)
        .where(Dataset.purged_at.is_(None))
        .order_by(Dataset.id)
        .limit(limit)
    )
    if datasets:
        wanted = wanted.where(Dataset.id.in_(datasets))
    else:
        derived = Dataset.kind == Kind.DERIVED
        passed = derived & (Dataset.created_at + Beamline.purge_derived_after < func.now())
        if raw:
            is_old = Dataset.created_at + Beamline.purge_raw_after < func.now()
            passed |= ~derived & is_old & ~Dataset.entry_key.startswith(SERIES)
        wanted = wanted.where(passed)
    if beamline is not None:
        wanted = wanted.where(Dataset.beamline_id == beamline)
    return [_judged(session, dataset, place, raw) for dataset, place in session.execute(wanted)]


def _judged(session: Session, dataset: Dataset, beamline: Beamline, raw: bool) -> Purgeable:
    files = kept_files(session, dataset.id)
    keeps = obstacle(session, dataset, beamline, files, raw=raw)
    copies = select(Replica.place).where(
        Replica.dataset_id == dataset.id, Replica.state == "verified"
    )
    places = ", ".join(session.scalars(copies))
    return Purgeable(
        dataset_id=dataset.id,
        name=dataset.name,
        kind=dataset.kind,
        files=len(files),
        bytes=sum(each.size for each in files),
        allowed=keeps is None,
        reason=keeps or f"a copy is at {places}; it is hashed again before anything is removed",
    )


def purge(
    engine: Engine, dataset_id: UUID, open_place: OpenPlace, *, actor: str, raw: bool = False
) -> Purged:
    """Remove a dataset's files; its row stays as a tombstone.

    A copy is hashed at this moment. Then the tombstone is entered, behind the database's own
    guard, and only then the files go: a crash in between leaves a tombstone whose files
    :func:`resume_purges` removes.

    Raises
    ------
    CatalogError
        Something keeps it: the sentence says what. Nothing was removed.
    """
    with alone(engine, dataset_id):
        with Session(engine) as session:
            dataset = dataset_of(session, dataset_id)
            if dataset.purged_at is None:
                beamline = session.get_one(Beamline, dataset.beamline_id)
                files = kept_files(session, dataset_id)
                keeps = obstacle(session, dataset, beamline, files, raw=raw)
                if keeps is not None:
                    raise CatalogError(f"{dataset.name} is not purged: {keeps}.")
        place = _verified_now(engine, dataset_id, open_place, actor)
        _enter_tombstone(engine, dataset_id, place, actor)
        return _remove(engine, dataset_id, actor, tell_left=True)


def resume_purges(engine: Engine, open_place: OpenPlace, *, actor: str) -> list[Purged]:
    """Go on with purges that were cut short; a copy is hashed again before anything goes.

    What still cannot go is in the answer, with the reason, and keeps none of the others.
    """
    with Session(engine) as session:
        left = exists().where(DatasetFile.dataset_id == Dataset.id, DatasetFile.gone_at.is_(None))
        cut_short = select(Dataset.id, Dataset.name).where(Dataset.purged_at.is_not(None), left)
        waiting = session.execute(cut_short.order_by(Dataset.id)).all()
    done: list[Purged] = []
    for dataset_id, name in waiting:
        try:
            with alone(engine, dataset_id):
                _verified_now(engine, dataset_id, open_place, actor)
                done.append(_remove(engine, dataset_id, actor, tell_left=False))
        except CatalogError as error:
            left_over = [str(error)]
            done.append(
                Purged(dataset_id=dataset_id, name=name, removed=0, bytes=0, left=left_over)
            )
    return done


def _verified_now(engine: Engine, dataset_id: UUID, open_place: OpenPlace, actor: str) -> str:
    """Hash copies until one is found whole; return its place."""
    with Session(engine) as session:
        made = select(Replica.id).where(
            Replica.dataset_id == dataset_id, Replica.state == "verified"
        )
        replicas = [each for each in session.scalars(made) if _covers(session, each, dataset_id)]
    for replica in replicas:
        found = verify_copy(engine, replica, open_place, actor)
        if not found.findings:
            with Session(engine) as session:
                return session.get_one(Replica, replica).place
    raise CatalogError(
        f"{dataset_id} is not purged: no copy of it is whole. `dayseye archive {dataset_id}` makes "
        "one."
    )


def _covers(session: Session, replica_id: UUID, dataset_id: UUID) -> bool:
    copied = select(ReplicaFile.file_id).where(ReplicaFile.replica_id == replica_id)
    return {each.id for each in kept_files(session, dataset_id)} <= set(session.scalars(copied))


def _enter_tombstone(engine: Engine, dataset_id: UUID, place: str, actor: str) -> None:
    with Session(engine) as session:
        dataset = session.get_one(Dataset, dataset_id, with_for_update=LOCK)
        if dataset.purged_at is not None:
            return
        files = kept_files(session, dataset_id)
        details = {
            "copy": place,
            "files": len(files),
            "bytes": sum(each.size for each in files),
            "paths": [str(each.place) for each in files[:1000]],
        }
        name, dataset.purged_at = dataset.name, func.clock_timestamp()
        try:
            session.flush()
        except IntegrityError as error:
            raise CatalogError(
                f"{name} is not purged: {str(error.orig).splitlines()[0]}."
            ) from None
        note(session, dataset, "purged", actor=actor, details=details)
        session.commit()


# -- the files ------------------------------------------------------------------------------


def _remove(engine: Engine, dataset_id: UUID, actor: str, *, tell_left: bool) -> Purged:
    """Remove what a tombstone still has here; what cannot go is told, and stays for a next time."""
    with Session(engine) as session:
        dataset = session.get_one(Dataset, dataset_id)
        name, output_folder = dataset.name, dataset.output_folder
        root = recipes.output_root(session.get_one(Beamline, dataset.beamline_id).output_template)
        files = kept_files(session, dataset_id)
    removed, freed, left, failures = 0, 0, list[str](), 0
    for file in files:
        with Session(engine) as session, session.begin():
            if user := _other_user(session, file, dataset_id):
                left.append(f"{file.place}: {user} is in the same file")
                _mark_gone(session, file)
                continue
            paths = list(_members(session, file))
        try:
            keep = _folders_kept(file, output_folder, root)
            gone = [unlink_below(file.root, path, keep) for path in paths]
        except OSError as error:
            left.append(f"{file.place}: {error}")
            failures += 1
            continue
        with Session(engine) as session, session.begin():
            _mark_gone(session, file)
        removed, freed = removed + sum(gone), freed + file.size
    with Session(engine) as session, session.begin():
        dataset = session.get_one(Dataset, dataset_id)
        details = {"removed": removed, "bytes": freed, "left": left}
        reason = f"Files of {name} were left: {'; '.join(left)}" if left else None
        if removed or tell_left:
            note(
                session,
                dataset,
                "files_removed",
                actor=actor,
                reason=reason,
                details=details,
                alarm=bool(failures) and tell_left,
            )
    return Purged(dataset_id=dataset_id, name=name, removed=removed, bytes=freed, left=left)


def _members(session: Session, file: Kept) -> Iterator[str]:
    """Yield the paths of the files that were copied, and no others."""
    if not file.is_series:
        yield file.path
        return
    copies = select(ReplicaFile.path).where(ReplicaFile.file_id == file.id).distinct()
    for path in session.scalars(copies):
        yield f"{file.path}/{path.split(f'{file.path}/', 1)[1]}"


def _folders_kept(file: Kept, output_folder: str | None, root: str) -> int:
    """Return how many folders of a path stay though they be empty: all above the dataset's own."""
    if file.is_series:
        return len(PurePosixPath(file.path).parts) - 1
    own = PurePosixPath(output_folder) if output_folder else None
    if own is None or not own.is_relative_to(file.root) or not own.is_relative_to(root):
        return len(PurePosixPath(file.path).parts)
    return len(own.relative_to(file.root).parts) - 1


def _other_user(session: Session, file: Kept, dataset_id: UUID) -> str | None:
    """Return a dataset that lies in the same file and was not purged."""
    other = aliased(Dataset)
    return session.scalar(
        select(other.name)
        .join(DatasetFile, DatasetFile.dataset_id == other.id)
        .where(
            DatasetFile.storage_id == file.storage_id,
            DatasetFile.path == file.path,
            DatasetFile.gone_at.is_(None),
            other.id != dataset_id,
            other.purged_at.is_(None),
        )
        .limit(1)
    )


def _mark_gone(session: Session, file: Kept) -> None:
    session.execute(
        update(DatasetFile).where(DatasetFile.id == file.id).values(gone_at=func.clock_timestamp())
    )
