"""What is true about a simulated scan, kept away from where it could be read by accident."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from infra.simulator.pdf import absorption, debye, evolution, scattering
from infra.simulator.pdf.materials import Material
from infra.simulator.pdf.plan import Geometry, ScanPlan

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Truth:
    """Sample, geometry, scales and faults of a scan.

    Attributes
    ----------
    phases, fractions
        What the sample consists of, and the atomic fraction of each, (frames, phases).
    cells, displacements
        a of each phase in Å, and U of its first element in Å2, (frames, phases).
    density, number_density
        Of the first phase itself, not of its powder: g/cm3, atoms per Å3.
    beam
        1 being the whole beam, (frames,).
    amplitude
        Counts of a frame per electron unit and atom, solid angle (sr), efficiency, polarisation
        and beam, before absorption.
    transmission, container_transmission
        Of a thin beam through the middle of the capillary, full and empty.
    container_scale
        How much of what the walls scatter forwards gets out of a full capillary, an empty one
        being 1: the scale of a background that was measured with as much beam.
    dumps, stalls
        Frames without beam, and such as are the one before once more.
    """

    name: str
    uid: str | None
    kind: str
    formula: str
    claimed_formula: str
    phases: Sequence[str]
    fractions: Array
    cells: Array
    displacements: Array
    density: float
    number_density: float
    packing: float
    geometry: Geometry
    beam: Array
    amplitude: float
    transmission: float
    container_transmission: float
    container_scale: float
    dumps: Sequence[int]
    stalls: Sequence[int]
    light: float

    @property
    def bad(self) -> NDArray[np.bool_]:
        """Whether a frame should be left out, (frames,)."""
        spoilt = np.zeros(len(self.beam), bool)
        spoilt[[*self.dumps, *self.stalls]] = True
        return spoilt


ARRAYS = ("fractions", "cells", "displacements", "beam")


def of(plan: ScanPlan) -> Truth:
    """Return the truth of a plan."""
    course, sample = evolution.history(plan), plan.sample
    tube = scattering.capillary(plan)
    empty = scattering.capillary(plan.as_kind("container", plan.name))
    longer, softer = 1 + course.expansion[:, None], 1 + course.softening[:, None]
    return Truth(
        name=plan.name,
        uid=plan.uid,
        kind=plan.kind,
        formula=sample.formula,
        claimed_formula=plan.claims.formula or sample.formula,
        phases=[phase.name for phase in sample.phases],
        fractions=course.amounts,
        cells=longer * np.array([phase.a for phase in sample.phases]),
        displacements=softer * np.array([phase.u[0][1] for phase in sample.phases]),
        density=sample.phases[0].density,
        number_density=sample.phases[0].number_density,
        packing=sample.packing,
        geometry=plan.geometry,
        beam=course.beam,
        amplitude=scattering.amplitude(plan) * plan.beam.photons * plan.beam.exposure,
        transmission=tube.transmission,
        container_transmission=empty.transmission,
        container_scale=_forwards(tube) / _forwards(empty),
        dumps=plan.faults.dumps,
        stalls=plan.faults.stalls,
        light=plan.faults.light,
    )


def _forwards(tube: absorption.Capillary) -> float:
    where = "wall" if tube.outer > tube.inner else "inside"
    return float(absorption.factor(tube, np.zeros(1), np.zeros(1), where)[0])


def intensity(plan: ScanPlan, q: Array, frame: int = 0) -> Array:
    """Return what the sample scatters at q, Compton with it, in electron units per atom."""
    phases, amounts = _state(plan, frame)
    wavelength = plan.geometry.wavelength
    pattern = scattering.electron_units(phases, amounts, wavelength)
    return np.interp(q, scattering.grid(wavelength), pattern)


def structure_factor(plan: ScanPlan, q: Array, frame: int = 0) -> Array:
    """Return S(Q), 1/Å, (bins,)."""
    phases, amounts = _state(plan, frame)
    wavelength = plan.geometry.wavelength
    grid = scattering.grid(wavelength)
    mixed = sum(
        x * debye.structure_factor(phase, grid, wavelength)
        for phase, x in zip(phases, amounts, strict=True)
    )
    return np.interp(q, grid, mixed)


def pair_distribution(plan: ScanPlan, r: Array, qmin: float, qmax: float, frame: int = 0) -> Array:
    """Return G(r) in 1/Å2 as the true S(Q) between qmin and qmax gives it, no window, (points,)."""
    q = np.arange(qmin, qmax, scattering.STEP)
    f = q * (structure_factor(plan, q, frame) - 1)
    weight = np.full(q.shape, scattering.STEP)
    weight[[0, -1]] /= 2
    return 2 / np.pi * (np.sin(np.outer(r, q)) @ (f * weight))


def _state(plan: ScanPlan, frame: int) -> tuple[tuple[Material, ...], tuple[float, ...]]:
    amounts, expansion, softening = evolution.history(plan).at(frame)
    warm = tuple(phase.heated(expansion, softening) for phase in plan.sample.phases)
    return warm, tuple(amounts.tolist())


def write(folder: Path, plan: ScanPlan) -> Path:
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
    stored["geometry"] = Geometry(**stored["geometry"])
    stored |= {name: np.array(stored[name]) for name in ARRAYS}
    return Truth(**stored)
