"""Multiple scattering: taken off where it is asked for, and said where it cannot be."""

from dataclasses import replace

import numpy as np
import pytest

from flows.pdf.recipe import Container, Plate, Recipe
from flows.pdf.transformation import to_curves
from flows.pdf.types import Corrected, Opened, Sample
from tasks.io.scan import ScanReference
from tasks.pdf.absorption import capillary, linear_attenuation
from tasks.pdf.composition import parse
from tasks.pdf.multiple_scattering import Cylinder, double_scattering
from tasks.pdf.scattering import compton, mean_square_form_factor
from tests.unit.tasks.pdf import crystals
from tests.unit.tasks.pdf.crystals import coherent

Q, WAVELENGTH, PACKING = np.linspace(0.5, 25.0, 1500), 0.17, 0.6
NICKEL = parse("Ni")
SAMPLE = Sample(NICKEL, "Ni", 8.9, Container(material="kapton", diameter_mm=1.0))
OPENED = Opened(ScanReference("scan.h5"), (1, 10, 10), WAVELENGTH, None, SAMPLE, {}, "", {})
ASKED = Recipe(multiple_scattering=True, packing=PACKING)
MU = linear_attenuation(NICKEL, 8.9, WAVELENGTH, PACKING)
SETTINGS = {"wavelength": WAVELENGTH, "mu": MU, "shape": Cylinder(0.5)}
TWICE = double_scattering(
    Q, NICKEL, number_density=PACKING * NICKEL.number_density(8.9), **SETTINGS
)


def corrected(mu=MU, twice=TWICE):
    """Nickel, and what is scattered twice, dimmed by the capillary."""
    factors = capillary(2 * np.arcsin(Q * WAVELENGTH / (4 * np.pi)), mu, 0.5)
    once = coherent(crystals.NICKEL, Q)[0] + compton(NICKEL, Q, WAVELENGTH)
    rows = (300 * (once + twice) * factors.s_sc)[None]
    sigma = np.full(rows.shape, 5.0)
    return Corrected(
        q=Q,
        frames=np.arange(1),
        intensity=rows,
        sigma=sigma,
        merged=rows[0],
        merged_sigma=sigma[0],
        measured=rows[0],
        absorption=factors,
    )


def absolute_of(found):
    return next(each for each in found.curves if each.mode == "absolute")


def stiff(recipe):
    """Let nothing else stand in for it."""
    return recipe.model_copy(update={"residual": 0.0})


def told(found):
    return [each for each in found.doubts["transform"] if "Multiple scattering" in each]


def test_it_is_taken_off_where_it_is_asked_for():
    asked, not_asked, truth = (
        absolute_of(to_curves(stiff(recipe), OPENED, corrected(twice=twice)))
        for recipe, twice in ((ASKED, TWICE), (Recipe(), TWICE), (Recipe(), 0.0))
    )
    once = mean_square_form_factor(NICKEL, Q, WAVELENGTH) + compton(NICKEL, Q, WAVELENGTH)
    wanted = np.mean((TWICE / once)[(Q > 0.7) & (Q < 25)])
    # the packing is told by the transmission, as absorption is
    assert asked.details["double_share"] == pytest.approx(wanted, rel=0.01)
    assert not_asked.details["double_share"] == 0
    apart = [np.sqrt(np.mean((each.s - truth.s) ** 2)) for each in (asked, not_asked)]
    assert apart[0] < 0.05 * apart[1]


def test_it_leaves_the_compatible_mode_as_it_is():
    asked, not_asked = (to_curves(each, OPENED, corrected()) for each in (ASKED, Recipe()))
    np.testing.assert_array_equal(asked.curves[0].f, not_asked.curves[0].f)
    assert told(asked) == told(not_asked) == []


def test_where_absorption_is_not_known_it_says_so():
    unknown = replace(
        corrected(), absorption=None, no_absorption="material and diameter of it are not known"
    )
    found = to_curves(ASKED, OPENED, unknown)
    assert told(found) == [
        "Multiple scattering is not taken off: material and diameter of it are not known."
    ]
    assert absolute_of(found).details["double_share"] == 0
    assert told(to_curves(Recipe(), OPENED, unknown)) == []


def test_a_plate_has_to_be_as_wide_as_it_is():
    flat, wide = (Plate(thickness_mm=0.5, width_mm=width) for width in (None, 10.0))
    plates = [replace(OPENED, sample=replace(SAMPLE, container=each)) for each in (flat, wide)]
    unknown, known = (to_curves(ASKED, each, corrected()) for each in plates)
    assert "width of the plate" in told(unknown)[0]
    assert told(known) == []
    assert absolute_of(known).details["double_share"] > 0


def test_a_transmission_of_one_does_not_tell_how_much_there_is():
    assert "transmission of the sample is 1" in told(to_curves(ASKED, OPENED, corrected(0.0)))[0]


def test_without_the_absolute_mode_it_says_so():
    only = ASKED.model_copy(update={"modes": ["compatible"]})
    assert "absolute mode" in told(to_curves(only, OPENED, corrected()))[0]
