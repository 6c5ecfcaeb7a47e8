import array_api_strict
import numpy as np
import pytest
import xraydb

from tasks.errors import DataError
from tasks.xas.over_absorption import correct_over_absorption, over_absorption_alpha

GRID = np.r_[np.arange(6950, 7090, 5.0), np.arange(7090, 7150, 0.5), np.arange(7150, 7600, 4.0)]
E0 = 7112.0


def true_spectrum():
    """An edge with a white line and oscillations that stand about 1."""
    rise = 0.5 + np.tanh((GRID - E0) / 1.5) / 2
    white_line = 0.6 * np.exp(-(((GRID - E0 - 6) / 4) ** 2))
    k = np.sqrt(np.maximum(GRID - E0, 0) * 0.2625)
    return rise * (1 + 0.1 * np.sin(4.2 * k) * np.exp(-0.02 * k**2)) + white_line


def seen(norm, formula, angle_in, angle_out):
    """Fluorescence of a thick slab by Beer's law, summed over its depth, not in closed form."""
    below, above, line = xraydb.material_mu(formula, np.array([7102.0, 7122.0, 6400.75]), 1.0)
    absorber = (above - below) * norm
    into, out = (1 / np.sin(np.deg2rad(angle)) for angle in (angle_in, angle_out))
    depth = np.geomspace(1e-9, 1, 6000)[:, None]  # g/cm²
    light = absorber * np.exp(-depth * ((absorber + below) * into + line * out))
    return np.trapezoid(light, depth, axis=0)


@pytest.mark.parametrize(("angle_in", "angle_out"), [(45, 45), (80, 10), (20, 70)])
@pytest.mark.parametrize("formula", ["Fe2O3", "FeS2", "Fe(NO3)3(H2O)9"])
def test_a_thick_sample_is_restored(formula, angle_in, angle_out):
    truth, geometry = true_spectrum(), (formula, angle_in, angle_out)
    norm = seen(truth, *geometry) / seen(np.ones(1), *geometry)
    alpha = over_absorption_alpha(formula, "Fe", "K", angle_in, angle_out)
    corrected = correct_over_absorption(norm[None], alpha)
    assert np.abs(norm - truth).max() > 0.04
    assert np.abs(corrected - truth).max() < 0.02 * np.abs(norm - truth).max()


def test_grazing_exit_shades_least_and_a_dilute_sample_hardly():
    def alpha(formula, angle_in, angle_out):
        return over_absorption_alpha(formula, "Fe", "K", angle_in, angle_out)

    assert alpha("Fe2O3", 80, 10) > alpha("Fe2O3", 45, 45) > alpha("Fe2O3", 10, 80)
    assert alpha("Fe0.001SiO2", 45, 45) > 100
    norm = np.array([[0.0, 1.0, 1.5]])
    assert np.abs(correct_over_absorption(norm, 1e6) - norm).max() < 1e-5


def test_other_edges_have_their_own_line():
    assert 0.5 < over_absorption_alpha("Au", "Au", "L3", 45, 45) < 5
    assert 0.5 < over_absorption_alpha("PbSO4", "Pb", "L2", 45, 45) < 10


def test_a_signal_too_high_for_the_sample_is_refused():
    with pytest.raises(DataError, match=r"3\.00 or more cannot come from a thick sample"):
        correct_over_absorption(np.array([[0.0, 3.1]]), 2.0)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("Fe2O", "Cu", "K", 45, 45), "does not contain Cu"),
        (("fe2o3!", "Fe", "K", 45, 45), "cannot be read"),
        (("Fe2O3", "Fe", "K", 0, 45), "between 0 and 90"),
        (("Fe2O3", "Fe", "K", 45, 135), "between 0 and 90"),
        (("Fe2O3", "Fe", "M5", 45, 45), "no tables of the M5 edge"),
    ],
)
def test_what_cannot_be_computed_is_refused_with_the_reason(arguments, says):
    with pytest.raises(DataError, match=says):
        over_absorption_alpha(*arguments)


def test_the_reference_needs_the_array_api_standard_alone():
    (norm, alpha), _ = correct_over_absorption.cases["a_white_line"]()
    strict = correct_over_absorption.implementations["reference"].function(
        array_api_strict.asarray(norm), alpha
    )
    assert np.asarray(strict) == pytest.approx(correct_over_absorption(norm, alpha))
