"""Shares of phases along a series: of known mixtures, and where a frame cannot be fitted."""

from typing import Any

import h5py
import numpy as np
import pytest

from flows.pdf import series_phases
from flows.pdf.recipe import Recipe
from flows.pdf.types import Curves
from tasks.io.nxpdf import Curve, write_nxpdf
from tasks.io.pdf_text import write_table
from tasks.pdf.finding_pictures import draw_phases
from tests.unit.tasks.pdf.crystal_truth import FE, NI, cif, noise, simulate

QMAX, SIGMA = 22.0, 0.05
R = np.arange(801) * 0.01
SHARES = np.array([0.1, 0.3, 0.6, 0.8])  # of the atoms, iron
RECIPE = Recipe(structures=[cif(NI), cif(FE)], mixture=True, fit_to=8.0)
ONES = np.ones(3)


def mixture(share):
    mean = (1 - share) * 28 + share * 26
    parts = ((NI, 1 - share, 28), (FE, share, 26))
    return sum(part * (z / mean) ** 2 * simulate(kind, R, QMAX) for kind, part, z in parts)


def series(rows):
    sigma = np.full(rows.shape, SIGMA)
    return Curves(
        mode="compatible",
        q=ONES,
        s=ONES,
        s_sigma=ONES,
        f=ONES,
        f_sigma=ONES,
        r=R,
        g=rows.mean(axis=0),
        g_sigma=sigma[0],
        each_f=ONES[None],
        each_f_sigma=ONES[None],
        each_g=rows,
        each_g_sigma=sigma,
        qmin=0.7,
        qmax=QMAX,
    )


@pytest.fixture(scope="module")
def rows():
    """Return G(r) of four mixtures, with noise."""
    clean = np.stack([mixture(share) for share in SHARES])
    return clean + noise(R, QMAX, SIGMA, np.random.default_rng(3), frames=len(clean))


@pytest.fixture(scope="module")
def found(rows):
    """Return the shares in four mixtures of frames 2 to 6, the fourth of which is broken."""
    broken = np.insert(rows, 3, np.nan, axis=0)
    return series_phases.fit_series_phases(RECIPE, series(broken), np.arange(2, 7), ())


def test_the_shares_are_those_of_the_mixtures(found):
    assert found.names == ("Ni", "Fe")
    np.testing.assert_array_equal(found.frames, [2, 3, 4, 6])
    pull = (found.atoms[:, 1] - SHARES) / found.atoms_sigma[:, 1]
    assert np.abs(pull).max() < 4
    np.testing.assert_allclose(found.atoms[:, 1], SHARES, atol=0.01)
    iron, nickel = SHARES * 55.845, (1 - SHARES) * 58.693
    np.testing.assert_allclose(found.mass[:, 1], iron / (iron + nickel), atol=0.01)
    assert (found.mass_sigma > 0).all()


def test_a_frame_that_cannot_be_fitted_is_left_out_and_told(found):
    assert list(found.failed) == [5]
    (told,) = series_phases.doubts(found)
    assert told.startswith("The phases could not be fitted to 1 of 5 frames, which are left out.")
    assert "Frame 5: G(r) or its sigma is zero or not a number" in told


def test_of_long_series_some_frames_are_fitted_and_that_is_noted(rows, monkeypatch):
    monkeypatch.setattr(series_phases, "MOST_FRAMES", 2)
    found = series_phases.fit_series_phases(RECIPE, series(rows), np.arange(4), ())
    np.testing.assert_array_equal(found.frames, [0, 3])
    (note,) = series_phases.notes(found, 4)
    assert "2 of 4 frames, evenly spread" in note
    assert series_phases.notes(found, 2) == ()


def test_shares_are_asked_for_of_phases_in_a_series_alone(rows):
    assert series_phases.are_asked_for(RECIPE, series(rows))
    assert not series_phases.are_asked_for(RECIPE, series(rows[:2]))
    single = RECIPE.model_copy(update={"mixture": False})
    assert not series_phases.are_asked_for(single, series(rows))


def test_files_and_pictures_hold_the_shares(found, tmp_path):
    path = tmp_path / "x.h5"
    curve = Curve(R, np.zeros((4, len(R))))
    write_nxpdf(path, {"gr": curve}, {}, tables={"phases": series_phases.table(found)})
    with h5py.File(path) as file:
        data: Any = file["entry/phases"]
        assert data.attrs["signal"] == "mass_fraction"
        assert list(data.attrs["axes"]) == ["frame", "phase"]
        assert list(data["phase"].asstr()) == ["Ni", "Fe"]
        np.testing.assert_array_equal(data["mass_fraction"], found.mass)
        np.testing.assert_array_equal(data["mass_fraction_errors"], found.mass_sigma)
        np.testing.assert_array_equal(data["frame"], found.frames)
    text = tmp_path / "x.txt"
    write_table(text, series_phases.columns(found), {"composition": "NiFe"})
    assert "#L frame  mass_Ni  sigma_Ni  mass_Fe  sigma_Fe  Rw" in text.read_text()
    np.testing.assert_allclose(np.loadtxt(text, skiprows=9)[:, 3], found.mass[:, 1], rtol=1e-8)
    args = (found.frames, found.mass, found.mass_sigma, found.names, "x")
    assert draw_phases(tmp_path / "x.png", *args).stat().st_size > 10_000
