"""Images with spots whose places and intensities are known."""

import numpy as np
from scipy.special import erf

from tasks.io.diffraction import Beam, Detector, Geometry, Goniometer, Rotation

GAP = slice(100, 110)  # rows without pixels


def geometry_of(rows, columns, images, distance=60.0, pixel=0.172, width=0.1):
    """The beam meets the middle of the detector."""
    origin = np.array([-columns / 2 * pixel, rows / 2 * pixel, -distance])
    detector = Detector(
        origin, np.array([1.0, 0, 0]), np.array([0, -1.0, 0]), (pixel, pixel), (rows, columns)
    )
    return Geometry(Beam(1.0), detector, Goniometer(), Rotation(0.0, width, images))


def shares(edges, at, sigma):
    return np.diff(0.5 * (1 + erf((edges - at) / sigma / np.sqrt(2))))


def sweep_with_spots(
    seed=0, shape=(12, 300, 320), count=60, level=0.5, counts=(300.0, 1e4), sigma=(0.6, 1.2)
):
    """Gaussian spots far enough from each other, the sweep's ends and the gap; Poisson noise.

    Returns images, mask, and what is true: x, y, z, counts of each spot, (n, 4).
    """
    rng = np.random.default_rng(seed)
    images, rows, columns = shape
    expected = np.full(shape, float(level))
    true = []
    while len(true) < count:
        at = rng.uniform([12, 12, 2.5], [columns - 12, rows - 12, images - 2.5])
        crowded = any(np.hypot(at[0] - x, at[1] - y) < 18 for x, y, _, _ in true)
        if crowded or GAP.start - 8 < at[1] < GAP.stop + 8:
            continue
        total = np.exp(rng.uniform(*np.log(counts)))
        width, depth = rng.uniform(*sigma), rng.uniform(0.3, 0.8)
        x0, y0 = int(at[0]) - 8, int(at[1]) - 8
        across = shares(np.arange(18) + x0, at[0], width)
        down = shares(np.arange(18) + y0, at[1], width)
        along = shares(np.arange(images + 1), at[2], depth)
        spot = total * along[:, None, None] * down[:, None] * across
        expected[:, y0 : y0 + 17, x0 : x0 + 17] += spot
        true.append((*at, total))
    counted = rng.poisson(expected).astype(np.int32)
    mask = np.zeros((rows, columns), dtype=bool)
    mask[GAP] = True
    counted[:, mask] = -1
    return counted, mask, np.array(true)


def nearest(spots, true, farthest=1.0):
    """Pairs of numbers of spots and of true ones that are near each other in x and y."""
    apart = np.hypot(*np.moveaxis(spots.xyz[:, None, :2] - true[None, :, :2], 2, 0))
    spot, place = np.nonzero(apart < farthest)
    return spot, place
