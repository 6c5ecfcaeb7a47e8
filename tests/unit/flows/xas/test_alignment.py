"""The range that the sweeps cover, and what their foil says of their energies."""

import numpy as np
import pytest

from flows.xas.alignment import align_surveyed
from flows.xas.recipe import Recipe
from tasks.xas.foils import foil_energies
from tasks.xas.survey import Surveyed, foil_grid

FOIL = next(foil for foil in foil_energies("Fe", "K") if foil.table == "kraft")
GRID = foil_grid(FOIL.energy)


def foils(shifts, noise=1e-3):
    """A metal's edge, its shoulder first, recorded so many eV too high."""
    rng = np.random.default_rng(6)
    x = GRID - FOIL.energy - np.asarray(shifts)[:, None]
    mu = 0.3 * np.arctan(x / 0.8) + 0.7 * np.arctan((x - 8) / 2.5)
    return mu + noise * rng.normal(size=mu.shape)


def surveyed(count, foil=None, low=7000.0, high=7900.0, values=None):
    ones = np.ones(count)
    rising = np.arange(count) % 2 == 0
    return Surveyed(0, low * ones, high * ones, rising, foil, [], values)


def test_sweeps_are_brought_together_and_to_the_table():
    shifts = 1.5 + np.linspace(-0.3, 0.3, 20)
    found = align_surveyed(Recipe(), surveyed(20, foils(shifts)), FOIL)
    assert found.table == "kraft"
    assert found.shift + found.offset == pytest.approx(-shifts, abs=0.08)
    assert found.is_aligned


def test_what_is_not_asked_for_is_not_done():
    shifts = np.linspace(-0.3, 0.3, 20)
    seen = surveyed(20, foils(shifts))
    assert align_surveyed(Recipe(align=False), seen, FOIL).shift == pytest.approx(np.zeros(20))
    as_recorded = align_surveyed(Recipe(foil_table="none", energy_shift=0.7), seen, FOIL)
    assert (as_recorded.offset, as_recorded.table) == (0.7, "")


def test_one_scan_is_calibrated_and_not_aligned():
    found = align_surveyed(Recipe(), surveyed(1, foils([2.0])), FOIL)
    assert found.offset == pytest.approx(-2.0, abs=0.1)
    assert not found.is_aligned


def test_without_a_foil_nothing_is_moved_and_nothing_is_doubted():
    found = align_surveyed(Recipe(), surveyed(3), None)
    assert (found.offset, found.table, found.doubts) == (0.0, "", {})


@pytest.mark.parametrize(
    ("shift", "noise", "said"),
    [(500.0, 1e-3, "does not stand out of the noise"), (28.0, 1e-3, "too far from where")],
)
def test_a_foil_of_no_use_is_told(shift, noise, said):
    found = align_surveyed(Recipe(), surveyed(3, foils(np.full(3, shift), noise)), FOIL)
    assert (found.offset, found.table) == (0.0, "")
    (told,) = found.doubts["energy"]
    assert told.startswith("The energy is as it was recorded")
    assert said in told


def test_a_few_short_sweeps_do_not_shorten_the_grid():
    low, high = np.full(100, 7000.0), np.full(100, 7900.0)
    low[7], high[7] = 7100.0, 7300.0
    seen = Surveyed(0, low, high, np.ones(100, bool), None, [])
    assert align_surveyed(Recipe(), seen, None).energy == (7000.0, 7900.0)


def test_a_beam_that_is_lost_for_good_ends_a_scan_and_no_series():
    values = np.tile([7000.0, 7900.0], (10, 1))
    values[3] = 7000.0, 7300.0
    assert align_surveyed(Recipe(), surveyed(10, values=values), None).energy == (7000.0, 7900.0)
    one = align_surveyed(Recipe(), surveyed(1, values=values[3:4]), None)
    assert one.energy == (7000.0, 7300.0)
    dark = np.array([[np.inf, -np.inf]])
    assert align_surveyed(Recipe(), surveyed(1, values=dark), None).energy == (7000.0, 7900.0)


def test_a_foil_that_is_cut_off_before_its_edge_calibrates_where_it_is_seen():
    """Where no sweep goes there is nothing, not an absorption of zero."""
    shifts = 1.5 + np.linspace(-0.3, 0.3, 20)
    foil = foils(shifts)
    foil[:, FOIL.energy - 12 > GRID] = np.nan
    found = align_surveyed(Recipe(), surveyed(20, foil), FOIL)
    assert found.shift + found.offset == pytest.approx(-shifts, abs=0.1)
    assert found.foil is not None and found.foil.spectrum is not None
    assert np.isnan(found.foil.spectrum[1][:5]).all()
