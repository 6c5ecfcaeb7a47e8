"""Standards on the energy scale, the grid and in the windows of a measurement."""

from dataclasses import replace

import numpy as np
import pytest

from tasks.xas.normalise import Windows
from tasks.xas.standards import Foil, Scale, Standard, foil_of, prepare

E0 = 7112.0
WINDOWS = Windows(-150, -50, 100, 700, 2)
GRID = np.r_[np.arange(6960, 7080, 2.0), np.arange(7080, 7170, 0.5), np.arange(7170, 7850, 3.0)]
FOIL = E0 + np.arange(-30, 55, 0.7)
NOISE = 1e-4


def edge(energy, place=E0):
    x = energy - place
    return 0.5 + np.arctan(x / 1.5) / np.pi + 0.2 * np.exp(-(((x - 12) / 4) ** 2))


def foil(off=0.0, table=7112.0, element="Fe", kept=True, seed=0):
    """A foil whose edge is seen so far above the true energies."""
    noise = NOISE * np.random.default_rng(seed).normal(size=len(FOIL))
    spectrum = (FOIL + off, 1.6 * edge(FOIL) + noise) if kept else None
    return Foil(element, table + off, 0.1, spectrum)


def standard(off=0.0, first=6950.0, last=7900.0, **known):
    energy = np.arange(first, last, 0.8)
    noise = NOISE * np.random.default_rng(1).normal(size=len(energy))
    rest = 0.8 * (energy / E0) ** -2.8
    return Standard(
        "1", "iron", "Fe", energy + off, 0.9 * edge(energy, E0 + 6) + rest + noise, **known
    )


def ready(*standards, scale=None, e0=E0):
    return prepare(standards, GRID, e0, WINDOWS, scale or Scale("K"))


def place(found):
    """Where each rises through one half."""
    return np.array([np.interp(0.5, row[:100], GRID[found.inside][:100]) for row in found.norm])


def test_foils_that_were_kept_tie_energies_together():
    scale = Scale("K", "kraft", 0.03, foil(-1.2, seed=2))
    away, at_home = (ready(standard(off, foil=foil(off)), scale=scale) for off in (1.7, -1.2))
    assert place(away) == pytest.approx(place(at_home), abs=0.01)
    assert 0.005 < away.scale_sigma[0] < 0.02


def test_a_foil_of_which_only_the_energy_was_kept_is_moved_to_the_table():
    scale = Scale("K", "bearden", 0.03, foil(0.0))
    found = ready(standard(1.7, foil=foil(1.7, kept=False)), scale=scale)
    assert place(found) == pytest.approx(place(ready(standard())), abs=0.01)
    assert found.scale_sigma[0] == pytest.approx(np.hypot(0.1, 0.03))


@pytest.mark.parametrize(
    ("theirs", "scale"),
    [
        (None, Scale("K", "bearden", 0.03, foil())),
        (foil(kept=False), Scale("K")),
        (foil(element="Cu", table=8979.0), Scale("K", "", 0.0, foil())),
        (foil(40.0), Scale("K", "bearden", 0.03, foil())),
    ],
)
def test_what_no_foil_ties_stays_and_says_so(theirs, scale):
    found = ready(standard(1.7, foil=theirs), scale=scale)
    assert np.isnan(found.scale_sigma).all()
    assert place(found) == pytest.approx(place(ready(standard(1.7))), abs=1e-9)


def test_standards_that_do_not_reach_far_enough_are_refused_with_the_reason():
    found = ready(standard(), replace(standard(first=7095.0), name="short"))
    assert [each.name for each in found.standards] == ["iron"]
    assert len(found.refused) == 1 and "short reaches from 7095" in found.refused[0]
    assert not ready(standard(first=7095.0)).standards


def test_windows_shrink_to_what_all_cover():
    found = ready(standard(), standard(first=7040.0, last=7400.0))
    assert found.inside.sum() < len(GRID)
    assert found.windows.pre1 > -75
    assert found.windows.norm2 < 300
    assert np.allclose(found.norm[:, -30:].mean(axis=1), 1, atol=0.02)


def test_steps_are_less_certain_where_the_absorption_still_swings():
    plain, wavy = standard(), standard()
    swing = 0.05 * np.sin(np.sqrt(np.clip(wavy.energy - E0, 0, None)) * 1.2) * (wavy.energy > E0)
    found = ready(plain, replace(wavy, mu=wavy.mu + swing))
    assert found.step_sigma[1] > 0.003
    same = ready(plain, standard())
    assert same.step_sigma.max() < 0.001


def test_what_metadata_tell_of_a_foil():
    told = {"element": "Fe", "energy": 7112.3, "sigma": 0.08}
    found = foil_of({"foil": told | {"spectrum": {"energy": [7100, 7112], "mu": [0.1, 0.7]}}})
    assert found is not None and found.spectrum is not None
    assert (found.element, found.energy, found.sigma) == ("Fe", 7112.3, 0.08)
    assert found.spectrum[1].tolist() == [0.1, 0.7]
    bare = foil_of({"foil": {"element": "Fe", "energy": 7112}})
    assert bare == Foil("Fe", 7112.0, 0.0, None)
    assert foil_of({}) is None
    assert foil_of({"foil": {"element": "Fe"}}) is None
