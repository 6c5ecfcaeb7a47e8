"""A frame unrolled: pyFAI's values, and rings that become straight lines."""

import numpy as np
import pytest

from tasks.errors import DataError
from tasks.pdf.cake import cake
from tasks.pdf.geometry import Geometry, arrays, pyfai_geometry
from tasks.pdf.integrate import integrate, make_integrator

SHAPE = (300, 260)
GEOMETRY = Geometry(0.1, 0.013, 0.016, 0.05, -0.08, 0.3, 1e-4, 1e-4, 0.2)
RNG = np.random.default_rng(5)
MASK = RNG.random(SHAPE) < 0.03
IMAGE = RNG.poisson(300, SHAPE)


def test_cells_are_those_of_pyfai():
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

    peer = AzimuthalIntegrator(
        *(GEOMETRY.distance, GEOMETRY.poni1, GEOMETRY.poni2),
        *(GEOMETRY.rot1, GEOMETRY.rot2, GEOMETRY.rot3),
        detector=pyfai_geometry(GEOMETRY, SHAPE).detector,
        wavelength=GEOMETRY.wavelength * 1e-10,
    )
    expected = peer.integrate2d_ng(
        IMAGE.astype(np.float32),
        *(80, 36),
        mask=MASK.astype(np.int8),
        polarization_factor=0.99,
        unit="q_A^-1",
        radial_range=(0.5, 4.0),
        azimuth_range=(-180, 180),
        method=("no", "csr", "cython"),
    )
    found = cake(IMAGE, GEOMETRY, MASK, (36, 80), limits=(0.5, 4.0))
    np.testing.assert_allclose(found.q, expected.radial, rtol=1e-6)
    np.testing.assert_allclose(np.rad2deg(found.chi), expected.azimuthal, atol=1e-3)
    there = expected.count > 0
    there[:, 0] = False  # pyFAI puts into the first column what lies below it
    np.testing.assert_array_equal(found.counts[:, 1:], expected.count[:, 1:])
    np.testing.assert_allclose(found.intensity[there], expected.intensity[there], rtol=1e-5)
    np.testing.assert_array_equal(np.isnan(found.intensity), found.counts == 0)


def test_cells_add_up_to_the_pattern():
    found = cake(IMAGE, GEOMETRY, MASK, (36, 80), polarisation=None, limits=(0.5, 4.0))
    pattern = integrate(
        make_integrator(GEOMETRY, MASK, 80, polarisation=None, limits=(0.5, 4.0)), IMAGE
    )
    np.testing.assert_array_equal(found.counts.sum(axis=0), pattern.counts[0])


def test_a_ring_is_a_straight_line():
    q = GEOMETRY.q(arrays(GEOMETRY, SHAPE).two_theta)
    ring = 100 * np.exp(-(((q - 2.0) / 0.05) ** 2))
    found = cake(ring, GEOMETRY, MASK, (24, 100))
    peaks = [found.q[np.nanargmax(row)] for row in found.intensity if np.isfinite(row).sum() > 30]
    assert len(peaks) > 12
    assert np.ptp(peaks) < 0.1  # neighbouring bins: the ring lies between two
    assert np.median(peaks) == pytest.approx(2.0, abs=0.05)


def test_an_image_of_another_detector_is_refused():
    with pytest.raises(DataError, match="pixels where"):
        cake(IMAGE.T, GEOMETRY, MASK)
