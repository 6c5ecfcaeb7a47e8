"""Reference foils in scans of a sample, and what is no foil though it stands in their place."""

import os
from pathlib import Path

import numpy as np
import pytest

from infra.library_foil import seen_foil
from infra.library_measure import Wish, measure
from tasks.io.spectra import ScanReference

DATA = Path(os.environ.get("DAYSEYE_DATA", "../shared/data")) / "xas/library_xdi"
ENERGY = np.arange(7000.0, 7300.0, 0.5)


def foil(at=7112.0, height=1.0, noise=1e-4):
    """An edge whose inflection point is known, with the noise of a good beamline."""
    rise = 0.5 + np.arctan((ENERGY - at) / 2) / np.pi
    return 0.4 + height * rise + np.random.default_rng(1).normal(0, noise, len(ENERGY))


@pytest.mark.parametrize("at", [7108.0, 7112.0, 7115.4])
def test_a_foil_is_found_where_it_is(at) -> None:
    found = seen_foil(ENERGY, foil(at), "Fe", "K")
    assert (found["element"], found["edge"]) == ("Fe", "K")
    assert found["energy"] == pytest.approx(at, abs=4 * max(found["sigma"], 0.01))
    kept = np.array(found["spectrum"]["energy"])
    assert kept[0] == pytest.approx(at - 30, abs=0.6) and kept[-1] == pytest.approx(at + 55, abs=1)
    assert len(found["spectrum"]["mu"]) == len(kept)


def test_a_foil_of_another_element_has_its_own_edge() -> None:
    """The sample's K edge is none of europium's in the scan; its L3 edge is."""
    found = seen_foil(ENERGY - 134, foil(7112.0), "Eu", "K")
    assert (found["element"], found["edge"]) == ("Eu", "L3")
    assert found["energy"] == pytest.approx(6978.0, abs=0.05)


@pytest.mark.parametrize(
    "mu",
    [
        foil(7120.0),
        foil(7136.0),
        foil(height=-1.0),
        foil(height=0.02, noise=0.0),
        foil(height=0.3, noise=0.2),
        np.ones(len(ENERGY)),
        np.where(ENERGY > 7105, 1.0, np.nan)[::-1],
    ],
    ids=["an oxide", "far", "falling", "what leaks", "noise", "nothing", "broken off"],
)
def test_what_is_no_foil(mu) -> None:
    known = np.isfinite(mu)
    assert seen_foil(ENERGY[known], mu[known], "Fe", "K") is None


@pytest.mark.skipif(not DATA.exists(), reason="DAYSEYE_DATA names no folder with real data")
@pytest.mark.parametrize(
    ("name", "energy"),
    [
        ("Cu/Cu_azurite_13K_01", 8979.25),
        ("Cu/CuO_tenorite_13K_01", 8979.16),
        ("Mn/MnO_rt_01", 6539.39),
        ("Mn/MnO2_rt_01", None),  # behind it stands an oxide
        ("Cr/cr2o3_ssrl4_1_rt_001", None),  # behind it stands nothing, but the edge leaks through
    ],
)
def test_real_foils(name, energy) -> None:
    measured = measure(ScanReference(str(DATA / f"{name}.xdi"), "", "xdi"), Wish())
    found = measured.metadata.get("foil")
    assert (found and found["energy"]) == (energy and pytest.approx(energy, abs=0.05))
