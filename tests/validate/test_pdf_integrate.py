"""A real image: CeO2 on a Pilatus 1M, a grainy powder behind a beam stop with a translucent arm."""

import fabio
import numpy as np
import pytest

from tasks.errors import DataError
from tasks.pdf.geometry import arrays, check_detector, pyfai_geometry, read_poni
from tasks.pdf.integrate import integrate, make_integrator, pixel_weight
from tasks.pdf.masking import bad_pixels, check_saturation
from tests.validate.chain import real_data

CELL = 5.4116  # Å, CeO2, NIST SRM 674b
RINGS = (3, 4, 8, 11, 12, 16, 19, 20, 24, 27, 32, 35, 36)  # h² + k² + l² of its first reflections
BINS = 2000


@pytest.fixture(scope="module")
def image():
    return fabio.open(real_data("pdf/dioptas_ceo2/CeO2_Pilatus1M.tif")).data


@pytest.fixture(scope="module")
def geometry():
    """The .poni was made for the image with its rows reversed."""
    return read_poni(real_data("pdf/dioptas_ceo2/CeO2_Pilatus1M.poni")).oriented(2)


@pytest.fixture(scope="module")
def bad(image, geometry):
    angles = arrays(geometry, image.shape).two_theta
    weight = pixel_weight(geometry, image.shape)
    return bad_pixels(image, angles, image < 0, weight=weight, photons=1)


def ring_offsets(q, intensity):
    """Distance of the peaks' centres of gravity from where CeO2 has them, 1/Å."""
    found = []
    for squares in RINGS:
        expected = 2 * np.pi / CELL * np.sqrt(squares)
        near = np.abs(q - expected) < 0.04
        above = np.clip(
            intensity[near] - np.nanmedian(intensity[np.abs(q - expected) < 0.15]), 0, None
        )
        found.append(np.sum(q[near] * above) / (np.sum(above) or np.nan) - expected)
    return np.abs(found)


def test_rings_lie_where_those_of_ceo2_do(image, geometry, bad):
    made = make_integrator(geometry, (image < 0) | bad.mask, BINS, lowest=0)
    found = integrate(made, image)
    offsets = ring_offsets(found.q, found.intensity[0])
    print("rings off by at most", offsets.max().round(4), "1/Å")
    assert offsets.max() < 0.003


def test_without_the_orientation_they_do_not(image, geometry):
    made = make_integrator(geometry.oriented(3), image < 0, BINS, lowest=0)
    found = integrate(made, image)
    assert np.nanmax(ring_offsets(found.q, found.intensity[0])) > 0.005


@pytest.mark.parametrize("splitting", ["none", "bbox"])
def test_values_are_those_of_pyfai(image, geometry, bad, splitting):
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

    mask = (image < 0) | bad.mask
    peer = AzimuthalIntegrator(
        *(geometry.distance, geometry.poni1, geometry.poni2),
        *(geometry.rot1, geometry.rot2, geometry.rot3),
        detector=pyfai_geometry(geometry, image.shape).detector,
        wavelength=geometry.wavelength * 1e-10,
    )
    expected = peer.integrate1d_ng(
        image,
        BINS,
        mask=mask.astype(np.int8),
        polarization_factor=0.99,
        unit="q_A^-1",
        method=({"none": "no"}.get(splitting, splitting), "csr", "cython"),
    )
    half = (expected.radial[-1] - expected.radial[0]) / (BINS - 1) / 2
    limits = (expected.radial[0] - half * (1 + 1e-9), expected.radial[-1] + half)
    found = integrate(
        make_integrator(geometry, mask, BINS, limits=limits, splitting=splitting), image
    )
    there = expected.count > 0
    apart = np.abs(found.intensity[0][there] / expected.intensity[there] - 1).max()
    print(f"{splitting}: apart from pyFAI by at most {apart:.0e}")
    assert apart < 1e-5


def test_the_beam_stop_and_its_arm_are_masked_and_the_grains_are_not(image, geometry, bad):
    beam_row, beam_column = np.unravel_index(
        arrays(geometry, image.shape).two_theta.argmin(), image.shape
    )
    assert bad.shadow[beam_row - 10 : beam_row + 10, beam_column - 15 : beam_column - 5].all()
    on_arm = [(555, 600), (572, 660), (590, 730), (650, 950)]
    assert all(bad.shadow[row, column] for row, column in on_arm)
    assert bad.shadow.mean() < 0.03
    assert bad.grainy > 10
    assert (bad.hot | bad.dead | bad.spots).mean() < 0.005
    whole, clean = (
        integrate(make_integrator(geometry, (image < 0) | mask, BINS, lowest=0), image)
        for mask in (bad.shadow, bad.mask)
    )
    peak = np.nanargmax(whole.intensity[0])
    assert clean.intensity[0][peak] == pytest.approx(whole.intensity[0][peak], rel=0.05)


def test_it_is_neither_saturated_nor_of_another_detector(image, geometry):
    assert check_saturation(image, image < 0, 1_097_223) == 0
    assert check_saturation(image, image < 0) == 0
    with pytest.raises(DataError, match="another detector"):
        check_detector(geometry, image.shape, (100e-6, 100e-6))
