"""What a calibration touches: results that used it, and what another choice would change."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import select, union
from sqlalchemy.orm import Session

from catalog import calibrations
from catalog.errors import NotFound
from catalog.models import Beamline, Dataset, DatasetCalibration, Lineage, Run
from catalog.states import Kind

MOST = 1000


class Used(BaseModel):
    """A calibration by its id and name; one that a run made has a version."""

    id: UUID
    name: str
    version: int | None = None


class Touched(BaseModel):
    """A scan, and its result if there is one, that a calibration touches or would touch."""

    dataset_id: UUID
    name: str
    role: str = Field(description="what the calibration serves it as")
    result_id: UUID | None = None
    version: int | None = None
    is_current: bool = False
    uses: list[Used] = Field(description="the calibrations of this role that it was given")
    would_use: list[Used] = Field(description="those that the rules choose now")

    @property
    def changes(self) -> bool:
        """Whether the rules choose other ones now."""
        return {each.id for each in self.uses} != {each.id for each in self.would_use}


class Affected(BaseModel):
    """What a calibration touches; at most the first thousand of each."""

    calibration_id: UUID
    name: str
    kind: str = Field(description="calibration, or derived for one that a run made")
    state: str
    kinds: list[str] = Field(
        description="what it, or what runs made of it, serves as; data that serve as nothing touch "
        "nothing"
    )
    touched: list[Touched] = Field(description="scans and results that it was given to")
    would_touch: list[Touched] = Field(
        description="scans that were given another one, and would be given this one now"
    )


def affected(session: Session, calibration_id: UUID) -> Affected:
    """Return the results that a calibration touches, and what would be chosen now.

    What runs made of it (a geometry of the image of a calibrant) counts as itself, in all versions.

    Parameters
    ----------
    session : Session
        The transaction; its viewer sees only what is theirs.
    calibration_id : UUID
        A calibration, in use, replaced or new, or made by a run; other data touch nothing.

    Raises
    ------
    NotFound
        There is no such dataset.
    """
    calibration = session.scalar(select(Dataset).where(Dataset.id == calibration_id))
    if calibration is None:
        raise NotFound(f"No dataset {calibration_id} in the catalogue")
    beamline = session.get_one(Beamline, calibration.beamline_id)
    serving = [calibration, *calibrations.made_of(session, calibration)]
    ids = {each.id for each in serving}
    names = sorted({kind for each in serving for kind in calibrations.kinds_of(session, each)})
    given = _given_to(session, ids)
    others = _others(session, calibration, names)
    return Affected(
        calibration_id=calibration.id,
        name=calibration.name,
        kind=calibration.kind,
        state=calibration.state,
        kinds=names,
        touched=[each for pair in given for each in _touched(session, beamline, *pair)],
        would_touch=[
            each
            for dataset in others
            for kind in names
            if kind in dataset.needs and (dataset, kind) not in given
            for each in _touched(session, beamline, dataset, kind)
            if ids & {chosen.id for chosen in each.would_use}
        ],
    )


def _given_to(session: Session, ids: set[UUID]) -> list[tuple[Dataset, str]]:
    """Return the scans that were given one of these, now or for an earlier run, and as what."""
    now = select(DatasetCalibration.dataset_id, DatasetCalibration.role).where(
        DatasetCalibration.calibration_id.in_(ids)
    )
    once = (
        select(Run.dataset_id, Lineage.role)
        .join(Lineage, Lineage.run_id == Run.id)
        .where(
            Lineage.dataset_id.in_(ids), Lineage.direction == "input", Run.dataset_id.not_in(ids)
        )
    )
    given = union(now, once).subquery()
    rows = session.execute(
        select(Dataset, given.c.role)
        .join(given, given.c.dataset_id == Dataset.id)
        .order_by(Dataset.id.desc())
        .limit(MOST)
    )
    return [(dataset, role) for dataset, role in rows]


def _others(session: Session, calibration: Dataset, kinds: Sequence[str]) -> Iterable[Dataset]:
    """Return scans for which a calibration could be chosen by its detector, latest first."""
    return session.scalars(
        select(Dataset)
        .where(
            Dataset.beamline_id == calibration.beamline_id,
            Dataset.kind == Kind.RAW,
            calibrations.may_serve(calibration.detector, kinds),
        )
        .order_by(Dataset.taken_at.desc())
        .limit(MOST)
    ).all()


def _touched(session: Session, beamline: Beamline, dataset: Dataset, role: str) -> list[Touched]:
    """Return a scan with each of its results; the scan alone if there is none."""
    would_use = [
        _used(each) for each in calibrations.choose(session, dataset, beamline, role).datasets
    ]
    results = session.execute(
        select(Dataset, Run.id)
        .join(Run, Run.id == Dataset.run_id)
        .where(Dataset.source_id == dataset.id)
        .order_by(Dataset.version.desc())
    ).all()
    scan = Touched(
        dataset_id=dataset.id,
        name=dataset.name,
        role=role,
        uses=_linked(session, dataset, role),
        would_use=would_use,
    )
    if not results:
        return [scan]
    return [
        scan.model_copy(
            update={
                "result_id": result.id,
                "version": result.version,
                "is_current": result.is_current,
                "uses": _inputs(session, run_id, role),
            }
        )
        for result, run_id in results
    ]


def _linked(session: Session, dataset: Dataset, role: str) -> list[Used]:
    rows = session.scalars(
        select(Dataset)
        .join(DatasetCalibration, DatasetCalibration.calibration_id == Dataset.id)
        .where(DatasetCalibration.dataset_id == dataset.id, DatasetCalibration.role == role)
        .order_by(Dataset.taken_at)
    )
    return [_used(each) for each in rows]


def _inputs(session: Session, run_id: UUID, role: str) -> list[Used]:
    rows = session.scalars(
        select(Dataset)
        .join(Lineage, Lineage.dataset_id == Dataset.id)
        .where(Lineage.run_id == run_id, Lineage.direction == "input", Lineage.role == role)
        .order_by(Dataset.taken_at)
    )
    return [_used(each) for each in rows]


def _used(dataset: Dataset) -> Used:
    return Used(id=dataset.id, name=dataset.name, version=dataset.version)
