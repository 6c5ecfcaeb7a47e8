"""
Azimuthal integration against pyFAI: time per frame, memory, and how well the values agree.

Frames of 2048 x 2048 pixels go into 2,000 bins, with mask, polarisation and solid angle. pyFAI,
whose integrator is kept from frame to frame, takes some of them one after another with two threads
of its own; ours takes the batch with two threads. Rounds alternate, so that a busy machine slows
both. The values are compared in the same run, on pyFAI's own edges. The last line says whether the
goals hold. Memory is the peak of a process of its own that integrates eight frames.

Run it with ``python tests/benchmarks/bench_pdf.py [FRAMES]``.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "2")

import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from tasks.algorithm import Engine
from tasks.pdf.geometry import Geometry, pyfai_geometry
from tasks.pdf.integrate import Integrator, integrate, make_integrator
from tasks.resources import Resources

SHAPE, BINS, CORES = (2048, 2048), 2000, 2
GEOMETRY = Geometry(0.25, 0.205, 0.201, 0.001, -0.0005, 0.0, 2e-4, 2e-4, 0.1671, SHAPE)
FEW = 4  # frames that pyFAI does in a round
ROUNDS = 5


def make_mask() -> np.ndarray:
    """A beam stop's arm and one bad pixel in a thousand."""
    mask = np.random.default_rng(0).random(SHAPE) < 1e-3
    mask[994:1054, :1024] = True
    return mask


def frames_of(count: int) -> np.ndarray:
    """Counts as a flat-panel or photon-counting detector gives them, uint16."""
    rng = np.random.default_rng(1)
    made = np.empty((count, *SHAPE), np.uint16)
    made[:FEW] = rng.poisson(1000, (min(FEW, count), *SHAPE))
    for index in range(FEW, count):
        made[index] = np.roll(made[index % FEW], index, axis=0)  # counts take longest to draw
    return made


@dataclass
class Step:
    """The same integration by both; `ours` is made once on the edges that pyFAI chose."""

    name: str
    method: str
    splitting: Any
    sigma: bool
    goal: float
    peer: Any = None
    ours: Integrator | None = None
    times: dict[str, list[float]] = field(default_factory=lambda: {"pyFAI": [], "ours": []})

    def theirs(self, image: np.ndarray, mask: np.ndarray) -> Any:
        return self.peer.integrate1d_ng(
            image,
            BINS,
            mask=mask.astype(np.int8),
            polarization_factor=0.99,
            unit="q_A^-1",
            method=(self.method, "csr", "cython"),
            error_model="azimuthal" if self.sigma else None,
        )

    def prepare(self, image: np.ndarray, mask: np.ndarray) -> float:
        """Let both build what they keep; return the largest relative difference of the values."""
        from pyFAI.integrator.azimuthal import AzimuthalIntegrator

        self.peer = AzimuthalIntegrator(
            *(GEOMETRY.distance, GEOMETRY.poni1, GEOMETRY.poni2, GEOMETRY.rot1, GEOMETRY.rot2),
            detector=pyfai_geometry(GEOMETRY, SHAPE).detector,
            wavelength=GEOMETRY.wavelength * 1e-10,
        )
        expected = self.theirs(image, mask)
        half = (expected.radial[-1] - expected.radial[0]) / (BINS - 1) / 2
        limits = (expected.radial[0] - half * (1 + 1e-9), expected.radial[-1] + half)
        self.ours = make_integrator(GEOMETRY, mask, BINS, limits=limits, splitting=self.splitting)
        found = self.run(image[None])
        there = expected.count > 0
        return float(np.abs(found[0][there] / expected.intensity[there] - 1).max())

    def run(self, frames: np.ndarray) -> np.ndarray:
        # from counts no squares are needed: the same work as pyFAI's without an error model
        model = "azimuthal" if self.sigma else "poisson"
        return integrate(self.ours, frames, model).intensity

    def ratio(self) -> float:
        pairs = zip(self.times["pyFAI"], self.times["ours"], strict=True)
        return float(np.median([theirs / ours for theirs, ours in pairs]))


STEPS = [
    Step("no splitting", "no", "none", False, 10),
    Step("no splitting, azimuthal sigma", "no", "none", True, 8),
    Step("pixels split (bbox)", "bbox", "bbox", False, 2),
    Step("pixels split, azimuthal sigma", "bbox", "bbox", True, 2),
]


def measure(step: Step, frames: np.ndarray, mask: np.ndarray) -> float:
    """Time both in turn; return how far values are apart."""
    apart = step.prepare(frames[0], mask)
    with Engine(Resources(cores=CORES)).active():
        step.run(frames[:CORES])
        for _ in range(ROUNDS):
            start = time.perf_counter()
            for image in frames[:FEW]:
                step.theirs(image, mask)
            between = time.perf_counter()
            step.run(frames)
            end = time.perf_counter()
            step.times["pyFAI"].append((between - start) / FEW)
            step.times["ours"].append((end - between) / len(frames))
    step.peer, step.ours = None, None  # together they hold more than a gigabyte
    return apart


def memory(splitting: str) -> float:
    """Return the peak memory of a process that prepares and integrates eight frames, MiB."""
    command = [sys.executable, __file__, "memory", splitting]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def peak(splitting: Any) -> int:
    """Do the work and print the peak memory of this process, MiB."""
    made = make_integrator(GEOMETRY, make_mask(), BINS, splitting=splitting)
    with Engine(Resources(cores=CORES)).active():
        integrate(made, np.ones((8, *SHAPE), np.uint16))
    status = Path("/proc/self/status").read_text()
    print(int(status.split("VmHWM:")[1].split()[0]) / 2**10)
    return 0


def main(count: int) -> int:
    """Measure, print a table, and return 0 if all goals are met."""
    console = Console()
    frames, mask = frames_of(count), make_mask()
    table = Table(title=f"{count} frames of 2048 x 2048, uint16; ms per frame, {CORES} cores")
    for heading in ("integration", "pyFAI", "dayseye", "ratio", "goal", "apart"):
        table.add_column(heading, justify="left" if heading == "integration" else "right")
    kept = True
    for step in STEPS:
        apart = measure(step, frames, mask)
        theirs, ours = (1e3 * float(np.median(step.times[name])) for name in ("pyFAI", "ours"))
        table.add_row(
            step.name,
            f"{theirs:.0f}",
            f"{ours:.1f}",
            f"{step.ratio():.1f}",
            f"{step.goal:.0f}",
            f"{apart:.0e}",
        )
        kept &= step.ratio() >= step.goal and apart < 1e-5
    console.print(table)
    for splitting in ("none", "bbox"):
        needed = memory(splitting)
        console.print(f"splitting {splitting}: peak memory {needed:.0f} MiB of a process alone")
    console.print(f"all goals of speed and agreement met: {kept}")
    return 0 if kept else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["memory"]:
        sys.exit(peak(sys.argv[2]))
    sys.exit(main(*(map(int, sys.argv[1:]) if sys.argv[1:] else (100,))))
