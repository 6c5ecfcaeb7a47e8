"""The XAS flow from a file to a verdict, without the services around it."""

from types import SimpleNamespace
from uuid import uuid4

from flows.cluster import WorkerLimits
from flows.xas import opening
from flows.xas.alignment import align_sweeps
from flows.xas.gridding import bring_onto_grid
from flows.xas.interpretation import interpret
from flows.xas.normalisation import normalise_sweeps
from flows.xas.recipe import Recipe
from flows.xas.types import Result
from infra.library_files import Found, spectra_of
from infra.library_measure import Wish
from infra.simulator.xas import truth
from infra.simulator.xas.write import write_series, write_standards
from tasks.io.probe import probe
from tasks.io.spectra import ScanReference

LIBRARY = "standards"


class Run:
    """What the stages ask of a run: a folder, workers (this process), a library (a folder)."""

    def __init__(self, folder, library):
        self.folder = folder
        self._library = library

    def limits(self):
        return WorkerLimits(workers=1, threads=1, memory=2 << 30)

    def work_through(self, what, function, orders):
        return (function(order, cores=1) for order in orders)

    def record(self, stage, records):
        assert all(record.seconds >= 0 for record in records), stage

    def library(self, names, element, edge):
        asked = {"element": element, "edge": edge}
        return [each for each in self._library if asked.items() <= vars(each).items()]

    def library_digest(self, names, element, edge):
        return LIBRARY


def library_of(folder, foils=True):
    """Read spectra as ``dayseye library add`` does; forget what their foils say if asked to."""
    found = list(spectra_of([folder], Wish()))
    assert found, folder
    assert all(isinstance(each, Found) for each in found), found
    library = [SimpleNamespace(id=uuid4(), name=each.name, **each.values) for each in found]
    for each in library:
        assert "foil" in each.metadata, each.name
        if not foils:
            del each.metadata["foil"]
    return library


def reduced(path, library, folder, recipe):
    """Walk a file through the stages of the flow."""
    return walked(Run(folder, library), path, recipe)


def walked(run, path, recipe):
    """Walk a file through the stages of a run."""
    (entry,) = probe(path, technique="xas")
    opened = opening.open_scan(recipe, ScanReference(str(path), entry.inner_path, entry.format))
    alignment = align_sweeps(run, recipe, opened)
    sweeps = bring_onto_grid(run, recipe, opened, alignment)
    spectrum = normalise_sweeps(run, recipe, opened, sweeps)
    found = interpret(run, recipe, opened, alignment, sweeps, spectrum)
    return Result(opened, alignment, sweeps, spectrum, None, "not asked", found)


def simulated(plan, folder, *, foils=True, **asked):
    """Measure a plan and its standards, reduce the series, and return truth and result."""
    standards = folder / "standards"
    standards.mkdir()
    write_standards(standards, plan)
    path = write_series(folder, plan)
    recipe = Recipe(**{"standards": LIBRARY, "libraries": [], **asked})
    return truth.of(plan), reduced(path, library_of(standards, foils), folder, recipe)
