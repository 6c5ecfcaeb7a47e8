"""Twenty simulated scans with everything a beamline does to them, against the truth.

Each scan: Poisson counts, flats before and after, 5 % loss of beam, 1 % gain errors that change
after the first flats in a tenth of the pixels, zingers in 2 of 100,000 pixels, 3 counts read
noise, a fractional axis up to 6 % of the width off the middle, a tilted axis.
"""

from functools import cache

import numpy as np
import pytest

from tasks.ct.reconstruct import reconstruct
from tasks.ct.rotation_axis import find_rotation_axis
from tests.validate.chain import sinograms_of
from tests.validate.truth import Truth, measure, random_sample

PIXEL_CM = 5e-4
ROWS = 15
# seed, columns, angles, counts, tilt in columns per row
SCANS = [
    (1, 192, 201, 20_000, 0.00),
    (2, 192, 240, 10_000, 0.02),
    (3, 192, 301, 5_000, -0.02),
    (4, 192, 181, 40_000, 0.05),
    (5, 200, 260, 20_000, -0.05),
    (6, 200, 320, 8_000, 0.01),
    (7, 201, 250, 20_000, 0.00),
    (8, 224, 300, 10_000, 0.10),
    (9, 224, 361, 5_000, -0.10),
    (10, 224, 240, 30_000, 0.03),
    (11, 225, 280, 20_000, -0.03),
    (12, 240, 300, 15_000, 0.00),
    (13, 240, 360, 6_000, 0.04),
    (14, 240, 270, 20_000, -0.04),
    (15, 256, 320, 20_000, 0.02),
    (16, 256, 400, 10_000, -0.08),
    (17, 256, 300, 40_000, 0.08),
    (18, 256, 361, 5_000, 0.00),
    (19, 257, 330, 20_000, 0.06),
    (20, 256, 280, 12_000, -0.06),
]
scans = pytest.mark.parametrize("scan", SCANS, ids=lambda scan: f"seed{scan[0]}")


@cache
def simulated(scan):
    seed, columns, count, counts, tilt = scan
    rng = np.random.default_rng(seed)
    truth = Truth(
        columns,
        ROWS,
        np.arange(count) * np.pi / count,
        (columns - 1) / 2 + rng.uniform(-0.06, 0.06) * columns,
        tilt,
        PIXEL_CM,
        random_sample(rng, columns, PIXEL_CM),
    )
    return truth, sinograms_of(measure(truth, rng, counts))


@scans
def test_axis_of_the_middle_row_within_a_quarter_pixel(scan):
    truth, sinograms = simulated(scan)
    rows = np.array([1, 4, 7, 10, 13])
    found = find_rotation_axis(sinograms[rows], truth.angles, rows)
    assert found.at(7) == pytest.approx(truth.axis, abs=0.25), found
    assert found.agreed, found.reason


@scans
def test_attenuation_within_one_per_cent_without_gain_matching(scan):
    truth, sinograms = simulated(scan)
    row = 7
    slice_ = reconstruct(
        sinograms[row : row + 1], truth.angles, truth.axis_of(row), truth.pixel_size_cm
    )[0]
    image = truth.image(row)
    radius = min(truth.axis, truth.columns - 1 - truth.axis)
    y, x = np.indices(image.shape) - truth.columns // 2
    inside = np.hypot(x, y) <= 0.95 * radius
    assert slice_[inside].mean() == pytest.approx(image[inside].mean(), rel=0.01)
    body = truth.eroded(row, 0, margin=3) & inside
    assert slice_[body].mean() == pytest.approx(truth.ellipses[0].mu, rel=0.01)
