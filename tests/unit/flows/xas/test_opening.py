"""What a scan is, told from files as beamlines write them: edge, mode, foil, and what is amiss."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from flows.xas.opening import open_scan
from flows.xas.recipe import Recipe
from infra.simulator.xas import cases
from infra.simulator.xas.plan import NO_FAULTS, Scan, SeriesPlan
from infra.simulator.xas.write import write_series
from tasks.errors import DataError
from tasks.io.probe import probe
from tasks.io.spectra import ScanReference

DATA = Path(os.environ.get("DAYSEYE_DATA", Path(__file__).parents[5] / "shared" / "data"))
PLAN = SeriesPlan(name="series", sweeps=6, scan=Scan(points=400), faults=NO_FAULTS)
ENERGY = np.arange(6950.0, 7500.0, 1.0)
REAL = {
    "APS10BM_2019": ("Mn K", "transmission", "Mn"),
    "APS13ID_2019": ("Mn K", "fluorescence", None),
    "APS20ID_2022": ("Pb L3", "fluorescence", None),
    "CLSHXMA": ("As K", "transmission", "Au"),
    "ESRF_SNBL_2013": ("Ge K", "transmission", None),
    "NSLS6BM_2019": ("V K", "fluorescence", None),
    "PF9A_2022": ("Fe K", "fluorescence", None),
    "PFBL12C_2005": ("Hg L3", "transmission", None),
    "SLS_PHOENIX_2023": ("Al K", "fluorescence", None),
    "SSRL1_2006": ("Ag K", "transmission", "Ag"),
}


def opened(path, **recipe):
    entry = probe(path, technique="xas")[0]
    return open_scan(Recipe(**recipe), ScanReference(str(path), entry.inner_path, entry.format))


def text(folder, mu, energy=ENERGY, header=(), i0=1e5):
    """Write a scan as columns, as a beamline does."""
    i0 = np.broadcast_to(i0, energy.shape) * (1 + 0.01 * np.sin(np.arange(len(energy)) / 30))
    path = folder / "scan.dat"
    columns = np.column_stack([energy, i0, i0 * np.exp(-mu)])
    named = "\n".join([*header, "energy i0 itrans"])
    np.savetxt(path, columns, header=named, fmt="%.6f")
    return path


def edge(at=7112.0, energy=ENERGY):
    rng = np.random.default_rng(4)
    step = 0.5 + np.arctan((energy - at) / 1.5) / np.pi
    return 0.4 + step + 1e-4 * rng.normal(size=energy.shape)


@pytest.mark.parametrize("name", REAL)
def test_real_files_tell_edge_mode_and_foil(name):
    path = DATA / "xas" / "beamline_ascii" / f"{name}.dat"
    if not path.exists():
        pytest.skip(f"no real data: {path} is missing; set DAYSEYE_DATA to the folder")
    found = opened(path)
    assert (f"{found.element} {found.edge}", found.mode, found.foil) == REAL[name]
    assert found.foil or found.no_foil


def test_the_foil_scans_of_a_bliss_file_have_no_foil_of_their_own():
    path = DATA / "xas" / "esrf_bliss" / "Fe_foil_0001_measurement.h5"
    if not path.exists():
        pytest.skip(f"no real data: {path} is missing; set DAYSEYE_DATA to the folder")
    found = opened(path)
    assert (found.element, found.foil) == ("Fe", None)
    assert "energy" not in found.doubts


@pytest.mark.parametrize("form", ["quick", "qex"])
def test_a_series_that_goes_up_and_down_shows_edge_and_foil(tmp_path, form):
    found = opened(write_series(tmp_path, PLAN, form))
    assert (found.element, found.edge, found.mode, found.foil) == ("Fe", "K", "transmission", "Fe")
    assert found.shape == (6, pytest.approx(400, abs=4))


def test_a_first_sweep_without_beam_does_not_hide_the_edge(tmp_path):
    dark = replace(PLAN, faults=replace(NO_FAULTS, no_beam=0.5), seed=3)
    found = opened(write_series(tmp_path, dark))
    assert (found.element, found.foil) == ("Fe", "Fe")


def test_a_wrong_element_in_the_file_is_doubted_and_not_followed(tmp_path):
    found = opened(write_series(tmp_path, cases.wrong_element(PLAN)))
    assert (found.element, found.edge) == ("Fe", "K")
    (told,) = found.doubts["element"]
    assert "says Cu K" in told
    assert "reduced as Fe K" in told


def test_the_recipes_word_is_followed_and_doubted(tmp_path):
    found = opened(text(tmp_path, edge()), element="Co", edge="K")
    assert (found.element, found.edge) == ("Co", "K")
    assert "The recipe says Co K" in found.doubts["element"][0]


def test_a_file_that_names_a_small_edge_beside_a_large_one_is_believed(tmp_path):
    energy = np.arange(6950.0, 7900.0, 1.0)
    mu = 0.3 * edge(7112.0, energy) + edge(7709.0, energy)
    head = ["Element.symbol: Fe", "Element.edge: K"]
    path = text(tmp_path, mu, energy, head).rename(tmp_path / "scan.xdi")
    path.write_text("# XDI/1.0\n" + path.read_text())
    found = opened(path)
    assert (found.element, found.edge) == ("Fe", "K")
    assert "fits Co K" in found.doubts["element"][0]


def test_a_hole_about_the_edge_is_told(tmp_path):
    there = (ENERGY < 7105) | (ENERGY > 7125)
    found = opened(text(tmp_path, edge()[there], ENERGY[there]))
    assert "no point between 7104.0 and 7126.0 eV" in found.doubts["range"][0]


@pytest.mark.parametrize(
    ("mu", "energy", "said"),
    [
        (edge(energy=ENERGY[:4]), ENERGY[:4], "4 points, too few"),
        (edge(), 7112.0 + 0 * ENERGY, "All points have the energy 7112.0 eV"),
        (0.4 + 0 * ENERGY, ENERGY, "names no edge"),
        (0.4 + np.random.default_rng(1).normal(0, 0.01, len(ENERGY)), ENERGY, "out of the noise"),
        (edge(9100.0, ENERGY + 2000), ENERGY + 2000, "does not say which edge"),
    ],
    ids=["few points", "one energy", "flat", "noise", "an edge of nothing"],
)
def test_what_shows_no_edge_is_refused_in_words(tmp_path, mu, energy, said):
    with pytest.raises(DataError, match=said):
        opened(text(tmp_path, mu, energy))


@pytest.mark.parametrize(
    ("i0", "said"), [(0.0, "same number in every row"), (-1e5, "no absorption to be seen")]
)
def test_a_scan_without_beam_is_refused_in_words(tmp_path, i0, said):
    with pytest.raises(DataError, match=said):
        opened(text(tmp_path, edge(), i0=i0))
