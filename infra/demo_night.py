"""The demo's beamlines: what they measure tonight, and what is true about it."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import asdict
from pathlib import Path
from threading import Thread

import numpy as np

from infra.demo_scans import (
    Absorption,
    Calibrant,
    Crystal,
    Diffraction,
    EmptyLoop,
    Evolution,
    Glass,
    Overexposed,
    Tomogram,
    TrueScan,
)
from infra.simulator import beamline, truth
from infra.simulator.mx import night as diffraction
from infra.simulator.pdf import materials
from infra.simulator.pdf import night as scattering
from infra.simulator.pdf import truth as scattering_truth
from infra.simulator.xas import night as spectra
from infra.simulator.xas import truth as spectra_truth


class Night:
    """What one beamline measures, in a thread of its own."""

    def __init__(self, scans: Sequence[TrueScan], measure: Callable[[], None]) -> None:
        self.scans = scans
        self._measure = measure
        self._measured: Future[None] = Future()

    def begin(self) -> None:
        """Begin to measure."""
        Thread(target=self._run, daemon=True, name="beamline").start()

    def _run(self) -> None:
        try:
            self._measured.set_result(self._measure())
        except Exception as error:
            self._measured.set_exception(error)

    def error(self) -> BaseException | None:
        """Return what went wrong, if anything did up to now."""
        return self._measured.exception() if self._measured.done() else None


def imaging_night(raw: Path, truths: Path) -> Night:
    """Plan the night of the imaging beamline, and leave its truth in a folder."""
    jobs = list(beamline.night(beamline.next_number(truths, "scan")))
    scans = [scan for job in jobs for scan in job.scans]
    for scan in scans:
        truth.write(truths, scan)
    known = [Tomogram(scan.name, truth.of(scan).axis) for scan in scans]
    return Night(known, lambda: beamline.measure(jobs, raw))


def spectra_night(raw: Path, truths: Path) -> Night:
    """Plan the night of the absorption beamline, and leave its truth in a folder."""
    jobs = list(spectra.night(beamline.next_number(truths, "quick")))
    for job in jobs:
        spectra_truth.write(truths, job.plan)
    known = [scan for job in jobs for scan in _known(job)]
    return Night(known, lambda: spectra.measure(jobs, raw))


def _known(job: spectra.Job) -> list[TrueScan]:
    """Return the scans of a job, and the series that they are if there are several."""
    scans = job.scans
    known: list[TrueScan] = [Absorption(scan.name, scan.e0, scan.fractions) for scan in scans]
    if len(scans) == 1:
        return known
    name = f"{job.plan.name} series"
    return [*known, Evolution(name, len(scans), scans[0].fractions, scans[-1].fractions)]


def scattering_night(raw: Path, truths: Path) -> Night:
    """Plan the night of the total-scattering beamline, and leave its truth in a folder."""
    jobs = list(scattering.night(beamline.next_number(truths, "nickel")))
    for job in jobs:
        scattering_truth.write(truths, job.plan)
    known = [scan for job in jobs if (scan := _scattered(job)) is not None]
    return Night(known, lambda: scattering.measure(jobs, raw))


def _scattered(job: scattering.Job) -> TrueScan | None:
    """Return what is true of a scan; nothing of an empty container, which is not reduced."""
    scan = job.scan
    if scan.refused:
        return Overexposed(scan.name)
    if scan.distance is not None:
        return Calibrant(scan.name, 1e3 * scan.distance)
    if scan.cell is not None:
        return Crystal(scan.name, scan.formula, scan.cell)
    if job.plan.kind == "sample":
        return Glass(scan.name, _bond(materials.SILICA))
    return None


def _bond(material: materials.Material) -> float:
    """Return the distance from the first atom of a cell to the nearest one, in Å."""
    places = np.array([place for _, place in material.atoms])
    apart = places[1:] - places[0]
    apart -= np.round(apart)
    lengths = np.linalg.norm(apart * [material.a, material.a, material.c], axis=1)
    return float(lengths.min())


def diffraction_night(raw: Path, truths: Path) -> Night:
    """Plan the night of the crystallography beamline, and leave its truth in a folder."""
    jobs = list(diffraction.night(beamline.next_number(truths, "tetragonal")))
    for job in jobs:
        (truths / f"{job.scan.name}.json").write_text(json.dumps(asdict(job.scan), indent=1))
    known = [_diffracted(job.scan) for job in jobs]
    return Night(known, lambda: diffraction.measure(jobs, raw))


def _diffracted(scan: diffraction.Expected) -> TrueScan:
    if scan.refused:
        return EmptyLoop(scan.name)
    return Diffraction(scan.name, scan.space_group, scan.cell)
