"""A simulated series of scans, each reduced by itself, and a run that reduces them together."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

from catalog.runs import InputFile
from flows.cluster import WorkerLimits
from flows.xas import opening, results
from flows.xas.alignment import align_sweeps
from flows.xas.gridding import bring_onto_grid
from flows.xas.interpretation import interpret
from flows.xas.normalisation import normalise_sweeps
from flows.xas.recipe import Recipe
from flows.xas.types import Result
from infra.library_files import spectra_of
from infra.library_measure import Wish
from infra.simulator.xas.plan import NO_FAULTS, Scan, SeriesPlan
from infra.simulator.xas.write import write_series, write_standards
from tasks.io.probe import probe
from tasks.io.spectra import ScanReference

LIBRARY = "iron"
BEGAN = datetime(2026, 1, 17, 9, 30, tzinfo=UTC)
PLAN = SeriesPlan(
    name="redox",
    sweeps=8,
    scan=Scan(points=1500, seconds=60.0),
    faults=NO_FAULTS,
    started_at=BEGAN,
)


class Run:
    """What the stages ask of a run: a folder, workers (this process), a library (a list)."""

    def __init__(self, folder, library, inputs=(), lost=()):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.outputs = []
        self.claim = SimpleNamespace(
            dataset_name="redox series",
            run_id=uuid4(),
            sample="iron oxide",
            inputs=list(inputs),
            output_folder=Path("/processed/redox/v001"),
        )
        self._library, self._lost = library, lost

    def limits(self):
        return WorkerLimits(workers=1, threads=1, memory=2 << 30)

    def work_through(self, what, function, orders):
        return (function(order, cores=1) for order in orders)

    def record(self, stage, records):
        assert all(record.seconds >= 0 for record in records), stage

    def stage(self, name, **figures):
        pass

    def output(self, relative, role, media_type):
        self.outputs.append((relative, role, media_type))
        return self.folder / relative

    def library(self, names, element, edge):
        asked = {"element": element, "edge": edge}
        return [each for each in self._library if asked.items() <= vars(each).items()]

    def library_digest(self, names, element, edge):
        return LIBRARY

    def scans_without_result(self):
        return list(self._lost)


def library_of(folder, plan):
    """Measure the standards of a plan and read them as ``dayseye library add`` does."""
    folder.mkdir()
    write_standards(folder, plan)
    return [
        SimpleNamespace(id=uuid4(), name=each.name, **each.values)
        for each in spectra_of([folder], Wish())
    ]


def reduced_scans(folder, plan, library, **asked):
    """Measure a series as one file a scan, reduce each, and return what a run of it reads."""
    folder.mkdir(parents=True, exist_ok=True)
    raw = write_series(folder, plan, "xdi")
    recipe = Recipe(**{"standards": LIBRARY, "libraries": [], **asked})
    return [member(path, folder / path.stem, library, recipe) for path in sorted(raw.iterdir())]


def member(path, folder, library, recipe, **changes):
    """Reduce one scan, and return its result as an input of a series."""
    run = Run(folder, library)
    (entry,) = probe(path, technique="xas")
    opened = opening.open_scan(recipe, ScanReference(str(path), entry.inner_path, entry.format))
    alignment = align_sweeps(run, recipe, opened)
    sweeps = bring_onto_grid(run, recipe, opened, alignment)
    spectrum = normalise_sweeps(run, recipe, opened, sweeps)
    found = interpret(run, recipe, opened, alignment, sweeps, spectrum)
    results.write(run, recipe, Result(opened, alignment, sweeps, spectrum, None, "", found))
    file = InputFile(
        path=folder / "redox_xas.h5",
        inner_path="",
        role="member",
        format="",
        fingerprint=None,
        dataset_id=uuid4(),
        output="spectrum",
        name=path.stem,
        taken_at=BEGAN,
        verdict="ok",
    )
    return replace(file, **changes)
