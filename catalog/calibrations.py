"""Which calibrations serve a dataset: those that its beamline's rules choose, within a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from catalog.models import Beamline, Calibration, Dataset, DatasetCalibration
from catalog.states import DatasetState

Side = Literal["before", "after"]
SIDES: tuple[Side, ...] = ("before", "after")


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
    chosen = {kind: choose(session, dataset, beamline, kind) for kind in wanted}
    missing = [words for choice in chosen.values() for words in choice.missing]
    if not missing:
        for kind, choice in chosen.items():
            for calibration in choice.datasets:
                session.add(
                    DatasetCalibration(
                        dataset_id=dataset.id, calibration_id=calibration.id, role=kind
                    )
                )
    return missing


@dataclass(frozen=True)
class Choice:
    """The calibrations of a kind that serve a dataset, and in words which ones are missing."""

    datasets: tuple[Dataset, ...] = ()
    missing: tuple[str, ...] = ()


def rule_for(beamline: Beamline, kind: str) -> tuple[str, timedelta]:
    """Return how calibrations of a kind are chosen at a beamline, and how far away they may be."""
    rule: dict[str, Any] = beamline.calibration_rules.get(kind) or {}
    hours = rule.get("max_age_hours")
    age = beamline.calibration_max_age if hours is None else timedelta(hours=hours)
    return rule.get("choose") or "nearest", age


def choose(session: Session, dataset: Dataset, beamline: Beamline, kind: str) -> Choice:
    """Choose the calibrations of a kind for a dataset, as the beamline's rule says.

    ``nearest`` takes the nearest in time, before or after; ``before`` the last one before; ``both``
    the nearest on either side, and waits for both.
    """
    how, _ = rule_for(beamline, kind)
    if how == "both":
        found = {side: nearest(session, dataset, beamline, kind, side) for side in SIDES}
        missing = tuple(f"{kind} {side} it" for side in SIDES if found[side] is None)
        there = (each for each in found.values() if each is not None)
        return Choice(tuple({each.id: each for each in there}.values()), missing)
    one = nearest(session, dataset, beamline, kind, "before" if how == "before" else None)
    if one is None:
        return Choice(missing=(f"{kind} before it" if how == "before" else kind,))
    return Choice((one,))


def nearest(
    session: Session,
    dataset: Dataset,
    beamline: Beamline,
    kind: str,
    side: Side | None = None,
) -> Dataset | None:
    """Find the calibration of a kind that is nearest in time, before or after or on one side.

    It must be of the same beamline and detector, validated, and valid at the dataset's time.
    """
    _, age = rule_for(beamline, kind)
    distance = func.abs(func.extract("epoch", Dataset.taken_at - dataset.taken_at))
    earliest = dataset.taken_at if side == "after" else dataset.taken_at - age
    latest = dataset.taken_at if side == "before" else dataset.taken_at + age
    return session.scalar(
        select(Dataset)
        .join(Calibration, Calibration.dataset_id == Dataset.id)
        .where(
            Calibration.kind == kind,
            Calibration.detector == dataset.detector,
            Dataset.beamline_id == dataset.beamline_id,
            Dataset.state == DatasetState.VALIDATED,
            Dataset.purged_at.is_(None),
            Dataset.taken_at >= earliest,
            Dataset.taken_at <= latest,
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
