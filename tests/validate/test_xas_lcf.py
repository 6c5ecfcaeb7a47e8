"""
Compositions against xraylarch, a published figure, and the truth of simulated series.

The gold series is that of M. Lengke et al., Environ. Sci. Technol. 40, 6304 (2006); what Demeter's
documentation gives for its point at 7.03 h is 34 +- 2 % metal and 18 +- 2 % sulfide. Run with
``-s`` to see the figures.
"""

import functools
import gzip
import json
import re

import numpy as np
import pytest
from scipy.interpolate import UnivariateSpline

from tasks.io.xas.athena import tables
from tasks.xas.align import align
from tasks.xas.lcf import derivative, fit
from tasks.xas.lcf_missing import missing_component
from tasks.xas.lcf_uncertainty import budget, reduction
from tasks.xas.normalise import Windows, normalise
from tasks.xas.rebin import rebin, three_region_grid
from tests.validate.chain import real_data
from tests.validate.xas_series import E0, reaction, series, standard

GOLD = ("Au foil", "Au3 Cl aq", "Au sulphide")
IRON = ("Fe_metal_rt_01", "FeO_rt_01", "Fe2O3_rt_01")
WINDOWS = Windows(-145, -30, 100, 600, 2)
SPACING = 0.9  # eV between points of a sweep near the edge: a finer grid would share them out


@functools.cache
def gold():
    """Energy, normalised absorption and e0 by label, with the parameters of the project."""
    path = real_data("xas/athena_prj/cyanobacteria.prj")
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    arguments = [line for line in lines if line.startswith("@args")]
    pairs = [dict(re.findall(r"'(\w+)',\s*'?([^',\[)]*)'?", line)) for line in arguments]
    parameters = {each["label"]: each for each in pairs}
    found = {}
    for table in tables(path):
        given = parameters[table.facts.title]
        ends = (float(given[f"bkg_{name}"]) for name in ("pre1", "pre2", "nor1", "nor2"))
        windows = Windows(*ends, int(given["bkg_nnorm"]) - 1)
        e0 = float(given["bkg_e0"])
        energy, mu = table.values[:, 0], table.values[:, 1]
        found[table.facts.title] = energy, normalise(energy, mu[None], e0, windows).norm[0], e0
    return found


def gold_fit(label, form="norm"):
    energy, norm, e0 = gold()[label]
    begin, end = np.searchsorted(energy, [e0 - 20, e0 + 60], side="right")
    fitted = slice(begin - 1, end)
    splines = [UnivariateSpline(*gold()[name][:2], s=0)(energy) for name in GOLD]
    spectra, standards = norm[None], np.stack(splines)
    if form == "derivative":
        spectra, standards = derivative(energy, spectra), derivative(energy, standards)
    return fit(spectra[:, fitted], standards[:, fitted])


def test_gold_series_as_xraylarch_has_it():
    known = json.loads(real_data("xas/au_lcf_reference.json").read_text())
    apart = []
    for name, expected in known.items():
        if not name.startswith("d_"):
            continue
        found = gold_fit(name.removeprefix("d_").replace("_", "."))
        apart.append(np.abs(found.weights[0] - expected["w"]).max())
        assert found.weights_sigma[0] == pytest.approx(expected["err"], rel=1e-5)
        assert found.r_factor[0] == pytest.approx(expected["rfactor"], rel=1e-6)
        assert found.redchi[0] == pytest.approx(expected["redchi"], rel=1e-6)
    print(f"gold: {len(apart)} spectra, weights apart by at most {max(apart):.1e}")
    assert len(apart) == 8
    assert max(apart) < 1e-6


def test_gold_at_seven_hours_as_published():
    found = gold_fit("7.03").weights[0]
    print(f"gold at 7.03 h: metal {found[0]:.3f}, chloride {found[1]:.3f}, sulfide {found[2]:.3f}")
    assert found[0] == pytest.approx(0.34, abs=0.02)
    assert found[2] == pytest.approx(0.18, abs=0.02)
    assert gold_fit("7.03", "derivative").weights[0, 0] == pytest.approx(0.322, abs=0.028)


def iron(name):
    return standard(real_data(f"xas/library_xdi/Fe/{name}.xdi"))


def composed(names, fractions, seed):
    """Walk a series from counts to weights and their intervals."""
    made = series([iron(name) for name in names], fractions, seed)
    grid = three_region_grid(6965, 7890, E0, xanes_step=SPACING)
    curves = np.stack([np.interp(grid, *iron(name)) for name in IRON])
    with np.errstate(invalid="ignore", divide="ignore"):
        foil = rebin(made.energy, np.log(made.i1 / made.i2), grid).mu
        found = align(grid, foil, curves[0], E0)
        energy = made.energy + found.shift[:, None]
        spectra = normalise(grid, rebin(energy, np.log(made.i0 / made.i1), grid).mu, E0, WINDOWS)
    standards = normalise(grid, curves, E0, WINDOWS)
    fitted = (grid >= E0 - 20) & (grid <= E0 + 60)
    weights = fit(spectra.norm[:, fitted], standards.norm[:, fitted])
    stated = budget(
        weights,
        grid[fitted],
        spectra.norm[:, fitted],
        standards.norm[:, fitted],
        reduced=reduction(grid, E0, WINDOWS, "norm", fitted),
        noise=counted(made, energy, grid) / spectra.edge_step[:, None],
        alignment=found.sigma,
    )
    left = missing_component(grid[fitted], spectra.norm[:, fitted], standards.norm[:, fitted], E0)
    return weights, stated, left


def counted(made, energy, grid):
    """Noise of a point by its counts, spread over the bins as densely as points were measured."""
    variance = sum(1 / each + (30.0 / each) ** 2 for each in (made.i0, made.i1))
    order = np.argsort(energy, axis=1)
    places = np.take_along_axis(energy, order, axis=1)
    density = np.take_along_axis(variance, order, axis=1) * np.gradient(places, axis=1)
    rows = [np.interp(grid, *row) for row in zip(places, density, strict=True)]
    return np.sqrt(np.stack(rows) / np.gradient(grid))


@pytest.mark.parametrize("seed", [1, 2])
def test_series_of_400_sweeps(seed):
    truth = reaction(400)
    weights, stated, left = composed(IRON, truth, seed)
    rms = np.sqrt(np.mean((weights.weights - truth) ** 2))
    covered = np.mean((stated.low <= truth) & (truth <= stated.high))
    formal = np.abs(weights.weights - truth) <= 1.96 * weights.weights_sigma
    print(
        f"series {seed}: fraction rms {rms:.4f}, 95 % intervals hold {100 * covered:.1f} % "
        f"(those of the residual alone {100 * formal.mean():.1f} %)"
    )
    assert rms <= 0.009
    assert 0.90 <= covered <= 0.99
    assert not left.flagged, left.reason
    assert left.suspicious.mean() <= 0.02


def test_short_series_raise_no_false_alarm():
    alarms = [composed(IRON, reaction(60), seed)[2] for seed in range(10, 20)]
    print(f"false alarms: {sum(each.flagged for each in alarms)} of {len(alarms)} series")
    assert not any(each.flagged for each in alarms)


@pytest.mark.parametrize(
    ("name", "most"), [("FeS2_rt_01", 0.05), ("Fe3C_rt_01", 0.2), ("FeN_rt_01", 0.2)]
)
def test_a_component_without_a_standard_is_noticed(name, most):
    t = np.linspace(0, 1, 100)[:, None]
    extra = 4 * most * t * (1 - t)
    truth = np.concatenate([reaction(100) * (1 - extra), extra], axis=1)
    weights, _, left = composed((*IRON, name), truth, 7)
    print(f"{name} up to {most:g}: R {np.median(weights.r_factor):.1e}, {left.reason}")
    assert left.flagged
