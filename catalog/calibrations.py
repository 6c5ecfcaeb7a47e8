"""Which calibrations serve a dataset: the nearest in time that fits, within a maximum age."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from catalog.models import Beamline, Calibration, Dataset, DatasetCalibration
from catalog.states import DatasetState


def link(session: Session, dataset: Dataset, beamline: Beamline) -> list[str]:
    """Choose the calibrations that a dataset still needs, and link them once all are there.

    Returns
    -------
    list of str
        The kinds that are missing; nothing is linked while there are any.
    """
    linked = set(
        session.scalars(
            select(DatasetCalibration.role).where(DatasetCalibration.dataset_id == dataset.id)
        )
    )
    wanted = [kind for kind in dataset.needs if kind not in linked]
    chosen = {kind: nearest(session, dataset, beamline, kind) for kind in wanted}
    missing = [kind for kind, calibration in chosen.items() if calibration is None]
    if not missing:
        for kind, calibration in chosen.items():
            if calibration is not None:
                session.add(
                    DatasetCalibration(
                        dataset_id=dataset.id, calibration_id=calibration.id, role=kind
                    )
                )
    return missing


def nearest(session: Session, dataset: Dataset, beamline: Beamline, kind: str) -> Dataset | None:
    """Find the calibration of a kind that is nearest in time, before or after.

    It must be of the same beamline and detector, validated, and valid at the dataset's time.
    """
    distance = func.abs(func.extract("epoch", Dataset.taken_at - dataset.taken_at))
    return session.scalar(
        select(Dataset)
        .join(Calibration, Calibration.dataset_id == Dataset.id)
        .where(
            Calibration.kind == kind,
            Calibration.detector == dataset.detector,
            Dataset.beamline_id == dataset.beamline_id,
            Dataset.state == DatasetState.VALIDATED,
            Dataset.taken_at >= dataset.taken_at - beamline.calibration_max_age,
            Dataset.taken_at <= dataset.taken_at + beamline.calibration_max_age,
            *_valid_at(dataset.taken_at),
        )
        .order_by(distance, Dataset.id)
        .limit(1)
    )


def waiting_for(session: Session, calibration: Dataset) -> Sequence[Dataset]:
    """Return the waiting datasets that a calibration may serve, oldest first, locked."""
    kinds = select(Calibration.kind).where(Calibration.dataset_id == calibration.id)
    return session.scalars(
        select(Dataset)
        .where(
            Dataset.beamline_id == calibration.beamline_id,
            Dataset.state == DatasetState.WAITING_FOR_CALIBRATION,
            Dataset.detector == calibration.detector,
            Dataset.needs.overlap(list(session.scalars(kinds))),
        )
        .order_by(Dataset.id)
        .with_for_update(key_share=True)
    ).all()


def _valid_at(time: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        or_(Calibration.valid_from.is_(None), Calibration.valid_from <= time),
        or_(Calibration.valid_until.is_(None), Calibration.valid_until > time),
    )
