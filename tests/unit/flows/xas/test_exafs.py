"""EXAFS of the merged spectrum: of any scale the same, and none of a scan of the edge alone."""

from dataclasses import replace

import numpy as np
import pytest

from flows.xas.exafs import extract
from flows.xas.recipe import Recipe
from flows.xas.types import Spectrum
from tasks.xas.normalise import Windows

E0 = 7112.0
GRID = np.r_[np.arange(6950, 7090, 2.0), np.arange(7090, 7160, 0.5), np.arange(7160, 7900, 3.0)]


def spectrum(step=1.0, end=7900.0):
    energy = GRID[end > GRID]
    k = np.sqrt(np.maximum(0.2625 * (energy - E0), 0))
    chi = np.sin(2 * 2.2 * k) * np.exp(-0.01 * k**2) / np.maximum(k, 1)
    rise = 0.5 + np.arctan((energy - E0) / 1.5) / np.pi
    mu = step * (rise * (1 + 0.5 * chi) - 4e-4 * (energy - E0))
    none = np.zeros(len(energy))
    rows = mu[None]
    windows = Windows(-150, -50, 50, 700, 2)
    return Spectrum(
        *(energy, mu, none, mu, none, mu, none, none),
        e0=E0,
        edge_step=step,
        edge_step_sigma=0.0,
        windows=windows,
        norms=rows,
        edge_steps=np.array([step]),
    )


def test_a_shell_is_found_where_it_is():
    found, why = extract(Recipe(), spectrum())
    assert why == ""
    assert found.r_peak == pytest.approx(2.2, abs=0.05)
    assert found.k_range == (3.0, pytest.approx(14.3, abs=0.1))


@pytest.mark.parametrize("step", [1e-6, 0.05, 5e12])
def test_the_scale_of_the_absorption_does_not_matter(step):
    one, _ = extract(Recipe(), spectrum())
    other, _ = extract(Recipe(), spectrum(step))
    np.testing.assert_allclose(other.chi, one.chi, atol=1e-9)


@pytest.mark.parametrize(
    ("end", "said"), [(7200.0, "the scan ends 87 eV above the edge"), (7113.5, "ends 1 eV above")]
)
def test_a_scan_of_the_edge_alone_has_none_and_says_why(end, said):
    found, why = extract(Recipe(), spectrum(end=end))
    assert found is None
    assert said in why


def test_a_range_that_resolves_nothing_is_not_transformed():
    found, why = extract(Recipe(kmin=3.0, kmax=4.5), spectrum())
    assert found is None
    assert "from k = 3 to 4.5 1/Å there is too little of it" in why


def test_the_range_asked_for_is_cut_at_the_end_of_the_scan():
    found, _ = extract(Recipe(kmax=30.0), replace(spectrum()))
    assert found.k_range[1] < 14.5
