"""The flow as a whole beside xraylarch, on 135 real spectra: edge energies, edge steps, EXAFS.

xraylarch worked on the points as they were measured, the flow on its own grid and, where there is a
reference foil, on a calibrated energy scale.
"""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from flows.xas.exafs import extract
from flows.xas.recipe import Recipe
from tests.validate.xas_chain import reduced

DATA = Path(os.environ.get("DAYSEYE_DATA", Path(__file__).parents[3] / "shared" / "data")) / "xas"


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """Reduce all spectra that xraylarch reduced; differences by file."""
    reference = DATA / "larch_reference.json"
    if not reference.exists():
        pytest.skip(f"no real data: {reference} is missing; set DAYSEYE_DATA to the folder above")
    recipe = Recipe(libraries=[])
    found = {}
    for known in json.loads(reference.read_text())["results"]:
        if "e0" not in known:
            continue
        name = known["file"]
        folder = tmp_path_factory.mktemp(Path(name).stem)
        result = reduced(DATA / name, [], folder, recipe)
        spectrum = result.spectrum
        exafs, _ = extract(recipe, spectrum)
        found[name] = (
            spectrum.e0 - result.alignment.offset - known["e0"],
            spectrum.edge_step / known["edge_step"] - 1,
            exafs.r_peak - known["rpeak"] if exafs and known.get("rpeak") else np.nan,
        )
    return found


def test_no_spectrum_is_refused(compared):
    assert len(compared) >= 135


def test_edge_energies_agree(compared):
    """Where two points of an edge are about as steep, the grid decides which it is."""
    off = np.abs([e0 for e0, _, _ in compared.values()])
    assert np.median(off) < 0.25
    assert np.mean(off < 1.0) > 0.95, {n: v[0] for n, v in compared.items() if abs(v[0]) >= 1}


def test_edge_steps_agree(compared):
    off = np.abs([step for _, step, _ in compared.values()])
    assert np.median(off) < 0.003
    assert np.quantile(off, 0.9) < 0.02
    assert off.max() < 0.06, max(compared.items(), key=lambda each: abs(each[1][1]))


def test_the_largest_shell_is_the_same(compared):
    """Where two shells are about as high, the range in k decides."""
    off = np.abs([r for _, _, r in compared.values() if np.isfinite(r)])
    assert np.median(off) < 0.04
    assert np.mean(off < 0.16) > 0.9
