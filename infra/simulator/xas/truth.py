"""What is true about a simulated series, kept away from where it could be read by accident."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from infra.simulator.xas import kinetics, tables
from infra.simulator.xas.plan import EnergyScale, SeriesPlan

Array = NDArray[np.float64]
Kind = Literal["bubble", "dump", "no_beam", "closed", "refill", "spike"]
SPOILING: tuple[Kind, ...] = ("bubble", "dump", "no_beam", "closed")
STRETCH = (0.05, 0.3)  # of the points of a sweep, how long a fault within it lasts


@dataclass(frozen=True)
class Fault:
    """Something that went wrong with a sweep, at points `first` to `first + points`."""

    sweep: int
    kind: Kind
    first: int
    points: int

    @property
    def spoils(self) -> bool:
        """Whether the sweep should be left out."""
        return self.kind in SPOILING


@dataclass(frozen=True, eq=False)
class Truth:
    """Composition, energy scale and faults of a series.

    Attributes
    ----------
    names, fractions
        What the sample consists of, and how much of it there is in each sweep, (sweeps, names).
    missing
        Those of the names that the standards lack.
    drift
        Recorded less true energy at the edge, (sweeps,), in eV, without the hysteresis.
    hysteresis
        Recorded less true energy beside that, in eV, upwards; downwards it is the negative.
    upwards
        Whether the energy rises in a sweep, (sweeps,).
    phase
        How many points late a sweep begins, (sweeps,).
    glitches
        Energies in eV.
    edge_step
        (sweeps,).
    over_absorption
        Formula, angles in degrees, and how much the rest of the sample absorbs at the energies
        of beam and line against the edge step (alpha).
    """

    name: str
    uid: str | None
    element: str
    edge: str
    e0: float
    claimed_element: str
    foil: str
    names: Sequence[str]
    missing: Sequence[str]
    fractions: Array
    drift: Array
    hysteresis: float
    upwards: NDArray[np.bool_]
    phase: Array
    faults: Sequence[Fault]
    glitches: Sequence[float]
    edge_step: Array
    over_absorption: dict[str, Any]
    stretch: float
    expansion: float

    @property
    def offset(self) -> Array:
        """Recorded less true energy at the edge, (sweeps,), in eV."""
        return self.drift + self.hysteresis * np.where(self.upwards, 1.0, -1.0)

    @property
    def bad(self) -> NDArray[np.bool_]:
        """Whether a sweep should be left out, (sweeps,)."""
        spoilt = np.zeros(len(self.drift), bool)
        spoilt[[fault.sweep for fault in self.faults if fault.spoils]] = True
        return spoilt


ARRAYS = ("fractions", "drift", "upwards", "phase", "edge_step")


def of(plan: SeriesPlan) -> Truth:
    """Return the truth of a plan."""
    random = np.random.default_rng([plan.seed, 0])
    progress = kinetics.progress(plan)
    sample = plan.sample
    return Truth(
        name=plan.name,
        uid=plan.uid,
        element=plan.element,
        edge=plan.edge,
        e0=plan.e0,
        claimed_element=plan.claimed_element or plan.element,
        foil=plan.foil,
        names=plan.names,
        missing=plan.missing,
        fractions=kinetics.fractions(plan),
        drift=_drift(plan.scale, progress, random),
        hysteresis=plan.scale.hysteresis,
        upwards=np.arange(plan.sweeps) % 2 == 0,
        phase=plan.scan.trigger * random.uniform(-1, 1, plan.sweeps),
        faults=_faults(plan, random),
        glitches=[plan.e0 + where for where, _, _ in plan.beam.glitches],
        edge_step=sample.edge_step * (1 - sample.loss * progress),
        over_absorption={
            "formula": sample.formula,
            "angle_in": sample.angle_in,
            "angle_out": sample.angle_out,
            "alpha": float(sum(tables.over_absorption(plan))),
        },
        stretch=plan.scale.stretch,
        expansion=sample.expansion,
    )


def _drift(scale: EnergyScale, progress: Array, random: np.random.Generator) -> Array:
    slow = scale.trend * progress + scale.oscillation * np.sin(2 * np.pi * scale.periods * progress)
    return scale.offset + slow + scale.jitter * random.standard_normal(len(progress))


def _faults(plan: SeriesPlan, random: np.random.Generator) -> list[Fault]:
    shares: dict[Kind, float] = {
        "bubble": plan.faults.bubbles,
        "dump": plan.faults.dumps,
        "no_beam": plan.faults.no_beam,
        "closed": plan.faults.closed,
        "refill": plan.faults.refills,
    }
    free = random.permutation(plan.sweeps).tolist()  # nothing happens to a sweep twice
    faults: list[Fault] = []
    for kind, share in shares.items():
        for _ in range(min(round(share * plan.sweeps), len(free))):
            first, points = _stretch(kind, plan.scan.points, random)
            faults.append(Fault(free.pop(), kind, first, points))
    for sweep in free[: round(plan.faults.spikes * plan.sweeps)]:
        faults.append(Fault(sweep, "spike", int(random.integers(plan.scan.points)), 1))
    return sorted(faults, key=lambda fault: fault.sweep)


def _stretch(kind: Kind, points: int, random: np.random.Generator) -> tuple[int, int]:
    if kind in ("no_beam", "closed"):
        return 0, points
    length = round(random.uniform(*STRETCH) * points)
    return int(random.integers(points - length + 1)), length


def write(folder: Path, plan: SeriesPlan) -> Path:
    """Store the truth as NAME.json."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{plan.name}.json"
    stored = asdict(of(plan))
    for name in ARRAYS:
        stored[name] = stored[name].tolist()
    path.write_text(json.dumps(stored))
    return path


def read(path: Path) -> Truth:
    """Read the truth that `write` stored."""
    stored: dict[str, Any] = json.loads(path.read_text())
    stored["faults"] = [Fault(**fault) for fault in stored["faults"]]
    stored |= {name: np.array(stored[name]) for name in ARRAYS}
    return Truth(**stored)
