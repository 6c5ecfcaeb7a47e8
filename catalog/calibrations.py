"""Which calibrations serve a dataset: those that its beamline's rules choose, within a time.

A calibration lands, or a run makes it of another one: a geometry of the image of a calibrant.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from catalog import recipes
from catalog.models import Beamline, Calibration, Dataset, DatasetCalibration
from catalog.states import DatasetState, Kind

GEOMETRY = "geometry"
"""The kind that may be written down without a word about the detector; then it serves any."""
Side = Literal["before", "after"]
SIDES: tuple[Side, ...] = ("before", "after")


def link(session: Session, dataset: Dataset, beamline: Beamline) -> list[str]:
    """Choose the calibrations that a dataset still needs, and link them once all are there.

    Returns
    -------
    list of str
        The kinds that are missing; nothing is linked while there are any. What data do not wait
        for is never missing.
    """
    linked = set(
        session.scalars(
            select(DatasetCalibration.role).where(DatasetCalibration.dataset_id == dataset.id)
        )
    )
    wanted = [kind for kind in dataset.needs if kind not in linked]
    chosen = {kind: choose(session, dataset, beamline, kind) for kind in wanted}
    missing = [
        words
        for kind, choice in chosen.items()
        if waits_for(beamline, kind)
        for words in choice.missing
    ]
    if not missing:
        for kind, choice in chosen.items():
            session.add_all(
                DatasetCalibration(dataset_id=dataset.id, calibration_id=each.id, role=kind)
                for each in choice.datasets
            )
    return missing


def renew(session: Session, dataset: Dataset) -> None:
    """Give a dataset the current version of each calibration that a run made for it.

    Calibrations that landed stay as they were chosen, and so does what has no trusted successor.
    """
    old, new = aliased(Dataset), aliased(Dataset)
    replaced = session.execute(
        select(DatasetCalibration.role, old.id, new.id)
        .join(old, old.id == DatasetCalibration.calibration_id)
        .join(new, and_(new.source_id == old.source_id, new.flow == old.flow, new.id != old.id))
        .where(
            DatasetCalibration.dataset_id == dataset.id,
            new.is_current,
            new.state == DatasetState.VALIDATED,
            new.purged_at.is_(None),
        )
    )
    for role, before, now in replaced.all():
        session.execute(
            update(DatasetCalibration)
            .where(
                DatasetCalibration.dataset_id == dataset.id,
                DatasetCalibration.calibration_id == before,
                DatasetCalibration.role == role,
            )
            .values(calibration_id=now, chosen_at=func.now())
        )


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


def waits_for(beamline: Beamline, kind: str) -> bool:
    """Tell whether the data of a beamline wait for calibrations of a kind that they need."""
    rule: dict[str, Any] = beamline.calibration_rules.get(kind) or {}
    return rule.get("wait", True)


def kinds_of(session: Session, dataset: Dataset) -> list[str]:
    """Return what a dataset serves as, by name; nothing for what is no calibration."""
    kinds = select(Calibration.kind).where(Calibration.dataset_id == dataset.id)
    return sorted(session.scalars(kinds))


def reduced_as(session: Session, beamline: Beamline, dataset: Dataset) -> str:
    """Return the kind as which a calibration is reduced; empty for what is none.

    A calibration that no flow reduces is only catalogued, and of no such kind either.
    """
    if dataset.kind != Kind.CALIBRATION:
        return ""
    kinds = kinds_of(session, dataset)
    flows = (recipes.flow_name(beamline, dataset.rule, calibration=kind) for kind in kinds)
    return next((kind for kind, flow in zip(kinds, flows, strict=True) if flow), "")


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

    It must be of the same beamline and detector, validated, and valid at the dataset's time. One
    that a run made must be the current version, of a source that is still trusted.
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
            _fits(dataset.detector),
            Dataset.beamline_id == dataset.beamline_id,
            Dataset.state == DatasetState.VALIDATED,
            Dataset.purged_at.is_(None),
            Dataset.taken_at >= earliest,
            Dataset.taken_at <= latest,
            _is_current(),
            *_valid_at(dataset.taken_at),
        )
        .order_by(distance, Dataset.id)
        .limit(1)
    )


def waiting_for(session: Session, calibration: Dataset) -> Sequence[Dataset]:
    """Return the waiting datasets that a calibration may serve, oldest first, locked."""
    kinds = kinds_of(session, calibration)
    return session.scalars(
        select(Dataset)
        .where(
            Dataset.beamline_id == calibration.beamline_id,
            Dataset.state == DatasetState.WAITING_FOR_CALIBRATION,
            may_serve(calibration.detector, kinds),
        )
        .order_by(Dataset.id)
        .with_for_update(key_share=True)
    ).all()


def may_serve(detector: str, kinds: Sequence[str]) -> ColumnElement[bool]:
    """Tell which datasets need something that a calibration with this detector serves as."""
    same = and_(Dataset.detector == detector, Dataset.needs.overlap(list(kinds)))
    is_for_any = GEOMETRY in kinds and not detector
    return or_(same, Dataset.needs.overlap([GEOMETRY])) if is_for_any else same


def made_of(session: Session, dataset: Dataset) -> Sequence[Dataset]:
    """Return the calibrations that runs made of a dataset, the latest version first."""
    return session.scalars(
        select(Dataset)
        .where(
            Dataset.source_id == dataset.id,
            select(Calibration).where(Calibration.dataset_id == Dataset.id).exists(),
        )
        .order_by(Dataset.version.desc())
    ).all()


def _fits(detector: str) -> ColumnElement[bool]:
    is_for_any = and_(Calibration.kind == GEOMETRY, Calibration.detector == "")
    return or_(Calibration.detector == detector, is_for_any)


def _is_current() -> ColumnElement[bool]:
    """Tell which calibrations no later version replaced; of those that landed, all."""
    source = aliased(Dataset)
    is_trusted = select(source.id).where(
        source.id == Dataset.source_id, source.state == DatasetState.VALIDATED
    )
    return or_(Dataset.source_id.is_(None), and_(Dataset.is_current, is_trusted.exists()))


def _valid_at(time: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        or_(Calibration.valid_from.is_(None), Calibration.valid_from <= time),
        or_(Calibration.valid_until.is_(None), Calibration.valid_until > time),
    )
