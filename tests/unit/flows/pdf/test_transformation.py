"""From I(Q) to G(r): which modes there are, why there is none, and what is doubted."""

from dataclasses import replace

import numpy as np
import pytest

from flows.pdf.recipe import Recipe
from flows.pdf.transformation import to_curves
from flows.pdf.types import Corrected, Opened, Sample
from tasks.errors import DataError
from tasks.io.scan import ScanReference
from tasks.pdf.composition import parse
from tasks.pdf.scattering import compton, mean_form_factor, mean_square_form_factor

Q = np.linspace(0.5, 25.0, 1500)
NICKEL = Sample(parse("Ni"), "Ni", 8.9)
OPENED = Opened(ScanReference("scan.h5"), (1, 10, 10), 0.17, None, NICKEL, {}, "", {})
RNG = np.random.default_rng(8)


def intensity(signal=1.0):
    """Scatter from pairs of atoms 2.5 Å apart, in electron units, 300 times."""
    nickel = NICKEL.composition
    pairs = signal * np.sin(2.5 * Q) / (2.5 * Q) * np.exp(-0.005 * Q**2)
    coherent = mean_square_form_factor(nickel, Q) + mean_form_factor(nickel, Q) ** 2 * pairs
    return 300 * (coherent + compton(nickel, Q, 0.17))


def corrected(rows, noise):
    rows = rows + noise * RNG.normal(size=rows.shape)
    sigma = np.full(rows.shape, noise)
    return Corrected(
        q=Q,
        frames=np.arange(len(rows)),
        intensity=rows,
        sigma=sigma,
        merged=rows.mean(axis=0),
        merged_sigma=sigma[0] / np.sqrt(len(rows)),
        measured=rows.mean(axis=0),
    )


GOOD = corrected(np.tile(intensity(), (3, 1)), 50.0)


def test_both_modes_show_the_pair_in_the_merged_curve_and_in_each_frame():
    found = to_curves(Recipe(), OPENED, GOOD)
    assert [each.mode for each in found.curves] == ["compatible", "absolute"]
    first = found.curves[0]
    near = (first.r > 2) & (first.r < 3)
    tops = first.r[near][first.each_g[:, near].argmax(axis=1)]
    np.testing.assert_allclose([*tops, first.r[near][first.g[near].argmax()]], 2.5, atol=0.05)
    for curves in found.curves:
        assert len(curves.each_g) == 3
        # three frames are known better than one
        assert np.median(curves.each_g_sigma[:, 1:] / curves.g_sigma[1:]) == pytest.approx(
            3**0.5, rel=0.05
        )
    assert found.curves[0].qmax == found.curves[1].qmax


def test_the_order_of_the_modes_is_the_recipes():
    found = to_curves(Recipe(modes=["absolute"]), OPENED, GOOD)
    assert found.first is not None
    assert found.first.mode == "absolute"


def test_the_grid_and_the_range_are_the_recipes():
    recipe = Recipe(qmin=1.0, qmax=18.0, qmaxinst=20.0, r_min=1.0, r_max=8.0, r_step=0.02)
    curves = to_curves(recipe, OPENED, GOOD).curves[0]
    assert (curves.r[0], curves.r[-1], len(curves.r)) == (1.0, pytest.approx(8.0), 351)
    assert curves.q[-1] <= 20.0
    assert curves.qmax == 18.0
    assert curves.q[0] == pytest.approx(1.0, abs=0.02)


def test_a_range_beyond_the_pattern_is_refused():
    with pytest.raises(DataError, match="reaches beyond the pattern"):
        to_curves(Recipe(qmaxinst=30.0), OPENED, GOOD)


def test_without_a_composition_there_is_nothing_and_a_doubt():
    found = to_curves(Recipe(), replace(OPENED, sample=Sample()), GOOD)
    assert (found.curves, found.ends_at) == (
        (),
        "the composition of the sample is not known",
    )
    assert "dayseye sample set" in found.doubts["composition"][0]


def test_without_a_density_there_is_no_absolute_mode_and_that_is_noted():
    bare = replace(OPENED, sample=replace(NICKEL, density=None))
    found = to_curves(Recipe(), bare, GOOD)
    assert [each.mode for each in found.curves] == ["compatible"]
    assert found.notes == ("The absolute mode needs the density of the sample and the wavelength.",)
    assert found.doubts["transform"] == ()
    only = to_curves(Recipe(modes=["absolute"]), bare, GOOD)
    assert only.curves == ()
    assert only.ends_at.startswith("The absolute mode needs the density")


def test_a_wrong_composition_shows_in_the_absolute_mode():
    wrong = replace(OPENED, sample=Sample(parse("SiO2"), "SiO2", 2.2))
    told = to_curves(Recipe(), wrong, GOOD)
    assert told.doubts["transform"] or told.notes


def test_what_is_only_noise_is_doubted():
    noise = corrected(intensity(signal=0.0)[None], 3000.0)
    found = to_curves(Recipe(), OPENED, noise)
    assert "G(r) is hardly above its noise" in found.doubts["transform"][0]
