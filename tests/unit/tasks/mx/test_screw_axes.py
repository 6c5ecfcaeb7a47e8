"""Screw axes and glide planes: found, not invented, and left open where nothing was measured."""

from dataclasses import replace

import numpy as np
import pytest

from tasks.mx.screw_axes import screw_axes, wilson_density
from tasks.mx.symmetry import space_group
from tests.unit.tasks.mx.intensities import CELLS, crystal_of, intensities, sweep

LAUE = {"P 21 21 21": "P 2 2 2", "P 21 21 2": "P 2 2 2", "P 43": "P 4", "P 65": "P 6"}


def everything(symbol, d_min=2.6, noise=1.0, keep=None, cell=None, seed=1):
    """A whole turn at a short wavelength: nearly every axis was measured."""
    crystal, hkl, truth = intensities(symbol, cell or CELLS[symbol], d_min, atoms=30, seed=seed)
    rows = slice(None) if keep is None else keep(hkl)
    return sweep(crystal, hkl[rows], truth[rows], degrees=360, noise=noise, wavelength=0.5)


@pytest.mark.parametrize("symbol", list(LAUE))
def test_screw_axes_are_found(symbol):
    found = screw_axes(everything(symbol), LAUE[symbol])
    assert not found.undetermined, found.sentence
    numbers = {space_group(each).number for each in found.space_groups}
    assert space_group(symbol).number in numbers
    mates = {"P 43": {76, 78}, "P 65": {169, 170}}
    assert numbers == mates.get(symbol, {space_group(symbol).number})


def test_enantiomorphs_are_named_together_and_are_no_doubt():
    found = screw_axes(everything("P 43 21 2"), "P 4 2 2")
    assert set(found.space_groups) == {"P 41 21 2", "P 43 21 2"}
    assert not found.undetermined
    assert "cannot tell" in found.sentence


@pytest.mark.parametrize("symbol", ["P 1 2 1", "P 2 2 2", "P 4", "P 6"])
def test_no_screw_axis_is_invented(symbol):
    cell = CELLS[
        {"P 1 2 1": "P 1 21 1", "P 2 2 2": "P 21 21 21", "P 4": "P 43"}.get(symbol, "P 65")
    ]
    found = screw_axes(everything(symbol, cell=cell), symbol)
    assert found.space_groups == (symbol,)
    assert not found.undetermined
    assert all(axis.screws[1] > 0.9 for axis in found.axes)


def test_an_axis_that_was_not_measured_stays_open():
    found = screw_axes(
        everything("P 21 21 21", keep=lambda hkl: (hkl[:, 0] != 0) | (hkl[:, 1] != 0)), "P 2 2 2"
    )
    assert found.undetermined
    assert set(found.possible) == {"P 21 21 2", "P 21 21 21"}
    assert "along c" in found.sentence
    assert abs(found.axes[2].screws[2] - 0.5) < 0.1


def test_a_cell_in_other_axes_names_that_setting():
    symbol = "P 2 21 21"
    found = screw_axes(everything(symbol, cell=CELLS["P 21 21 21"]), "P 2 2 2")
    assert found.space_groups == (symbol,)
    assert [round(axis.screws[1]) for axis in found.axes] == [1, 0, 0]
    assert found.axes[1].fourier[2] > 0.9


def test_neighbours_that_spill_are_no_reflections():
    seen = everything("P 21 21 21", noise=0.3)
    absent = np.array(
        space_group("P 21 21 21").operations().systematic_absences(seen.hkl), dtype=bool
    )
    spilt = np.where(absent, 12.0, 0.0)  # of a mean of 1000
    found = screw_axes(replace(seen, intensity=seen.intensity + spilt), "P 2 2 2")
    assert found.space_groups == ("P 21 21 21",)


@pytest.mark.parametrize("symbol", ["P 1 21/c 1", "P b c a", "P 21 21 21"])
def test_glide_planes_of_small_molecules(symbol):
    cell = (7.1, 9.3, 12.2, 90, 101 if "21/c" in symbol else 90, 90)
    crystal = crystal_of(cell, symbol)
    laue = "P 1 2 1" if "21/c" in symbol else "P 2 2 2"
    crystal, hkl, truth = intensities(symbol, cell, 0.8, atoms=8, b=2.0)
    seen = sweep(crystal, hkl, truth, degrees=360, wavelength=0.5)
    found = screw_axes(seen, laue, small_molecule=True)
    assert found.space_groups == (symbol,), found.sentence
    assert not found.undetermined


def test_densities_are_normalised():
    value = np.linspace(-6, 60, 20001)
    for centric in (False, True):
        density = wilson_density(
            value, np.full(20001, 0.5), np.full(20001, 2.0), np.full(20001, centric)
        )
        step = value[1] - value[0]
        assert abs(density.sum() * step - 1) < 2e-3
        assert abs((density * value).sum() * step - 2) < 2e-2
