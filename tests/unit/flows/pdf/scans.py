"""Simulated scans, and a run that carries its orders out here."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from flows.pdf import opening
from flows.pdf.background import take_off
from flows.pdf.found import Result
from flows.pdf.integration import integrate
from flows.pdf.interpretation import interpret
from flows.pdf.recipe import Recipe
from flows.pdf.transformation import to_curves
from infra.simulator.pdf import poni
from infra.simulator.pdf.plan import ScanPlan, small
from infra.simulator.pdf.write import write_scan

NI = """\
data_Ni
_symmetry_space_group_name_H-M 'F m -3 m'
_cell_length_a 3.52
_cell_length_b 3.52
_cell_length_c 3.52
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_U_iso_or_equiv
Ni 0 0 0 0.005
"""


def plan(name="scan", **changes):
    """Plan a small scan of nickel in kapton."""
    return replace(small(ScanPlan(name=name, seed=3)), **changes).identified()


@dataclass
class Claimed:
    """What the stages ask of a claim."""

    inputs: list[Any]
    sample_facts: dict[str, Any] = field(default_factory=dict)
    dataset_name: str = "scan"
    folders: tuple[Path, ...] = ()


class Here:
    """What the stages ask of a run, carried out in this process."""

    def __init__(self, claim, folder):
        self.claim, self.folder, self.steps = claim, folder, []

    def record(self, stage, records):
        self.steps += [(stage, record.algorithm) for record in records]

    def limits(self):
        return SimpleNamespace(workers=1, threads=1, memory=2e9)

    def work_through(self, what, function, orders):
        return [function(order, cores=1) for order in orders]


def an_input(path, role, form=""):
    """Describe a file that a run reads."""
    return SimpleNamespace(path=Path(path), inner_path="", role=role, format=form)


def claim(*inputs, **changes):
    return Claimed([an_input(*each) for each in inputs], **changes)


def with_geometry(folder, scan, *kinds):
    """Write a scan, its geometry, and calibrations of some kinds; claim it."""
    inputs = [(write_scan(folder, scan), "data"), (poni.write(folder, scan), "geometry")]
    inputs += [(write_scan(folder, scan.as_kind(kind, f"{kind}_1")), kind) for kind in kinds]
    return claim(*inputs, folders=(folder,))


def reduce(recipe: Recipe, claimed, folder: Path) -> Result:
    """Go through all stages up to the result."""
    run: Any = Here(claimed, folder)
    opened = opening.open_scan(recipe, claimed)
    patterns = integrate(run, recipe, opened)
    corrected = take_off(recipe, opened, patterns)
    transformed = to_curves(recipe, opened, corrected)
    found = interpret(recipe, opened, corrected, transformed, claimed.folders)
    return Result(opened, patterns, corrected, transformed, found)
