"""Which datasets are to be copied, and what is known of one's copies and holds."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from catalog.custody.digests import GROWING
from catalog.custody.guard import dataset_of
from catalog.custody.views import Copy, Custody, HoldView
from catalog.models import Dataset, Hold, Replica, ReplicaFile
from catalog.models.dataset import SERIES
from catalog.states import Kind


def to_archive(
    session: Session, beamline: str, place: str, before: datetime | None = None
) -> list[UUID]:
    """Return a beamline's complete datasets, raw and derived, without a whole copy at a place.

    Parameters
    ----------
    session : Session
        The catalogue.
    beamline : str
        Its id.
    place : str
        Where the copies go.
    before : datetime, optional
        Only what was taken before.
    """
    whole = exists().where(
        Replica.dataset_id == Dataset.id, Replica.place == place, Replica.state == "verified"
    )
    wanted = select(Dataset.id).where(
        Dataset.beamline_id == beamline,
        Dataset.purged_at.is_(None),
        Dataset.state.not_in(GROWING),
        ~Dataset.entry_key.startswith(SERIES) | (Dataset.kind == Kind.DERIVED),
        ~whole,
    )
    if before is not None:
        wanted = wanted.where(Dataset.taken_at < before)
    return list(session.scalars(wanted.order_by(Dataset.taken_at, Dataset.id)))


def custody(session: Session, dataset_id: UUID) -> Custody:
    """Return a dataset's copies and holds.

    Raises
    ------
    NotFound
        There is no such dataset.
    """
    dataset = dataset_of(session, dataset_id)
    files = (
        select(func.count())
        .where(ReplicaFile.replica_id == Replica.id)
        .correlate(Replica)
        .scalar_subquery()
    )
    mine = select(Replica, files).where(Replica.dataset_id == dataset_id).order_by(Replica.id)
    holds = select(Hold).where(Hold.dataset_id == dataset_id).order_by(Hold.id)
    return Custody(
        dataset_id=dataset_id,
        purged_at=dataset.purged_at,
        copies=[
            Copy(
                place=row.place,
                state=row.state,
                files=count,
                bytes=row.bytes,
                created_at=row.created_at,
                verified_at=row.verified_at,
                retention_until=row.retention_until,
                note=row.note,
            )
            for row, count in session.execute(mine)
        ],
        holds=[
            HoldView(
                reason=row.reason,
                actor=row.actor,
                created_at=row.created_at,
                released_at=row.released_at,
                released_by=row.released_by,
            )
            for row in session.scalars(holds)
        ],
    )
