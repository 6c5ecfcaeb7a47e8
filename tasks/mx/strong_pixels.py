"""
Strong pixels: those that stand out of their surroundings by more than counting statistics allow.

A pixel is strong if it exceeds the mean of the 7 x 7 pixels around it by several standard
deviations of a Poisson distribution with that mean, and if the variance of those pixels exceeds the
mean by more than the scatter of a variance allows: W. Kabsch, Acta Cryst. D66, 133 (2010), and G.
Winter et al., Acta Cryst. D74, 85 (2018). With n pixels that are valid, sum S, sum of squares Q and
g counts per photon:

    n v - S > s sqrt(g n S)    and    n Q - S² > g S (n - 1 + b sqrt(2 (n - 1)))

Masked pixels, negative counts and what lies outside of the detector take no part. A single photon
is never strong. The sums are of integers and the decisions of all implementations the same.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tasks.algorithm import Inputs, algorithm, current_engine
from tasks.arrays import Array, Host, gpu_module, is_on_gpu, namespace, to_host

HALF = 3  # pixels on each side: 7 x 7
LEAST = 10  # valid pixels among them: fewer say nothing of the variance
MOST = 2**24  # counts: more are taken as so many, which keeps the sums within 32 bits


@algorithm("mx.strong_pixels", version="1", rtol=0.0)
def strong_pixels(
    images: Array, mask: Array, gain: float = 1.0, background: float = 6.0, strong: float = 3.0
) -> Array:
    """
    Tell the strong pixels of some images.

    Parameters
    ----------
    images
        Counts, (images, rows, columns), int32; negative ones are no pixels.
    mask
        True: left out, (rows, columns).
    gain
        Counts per photon.
    background
        By how many standard deviations the variance must exceed that of a Poisson distribution.
    strong
        By how many standard deviations the pixel must exceed the mean.

    Returns
    -------
    Array
        (images, rows, columns), bool.
    """
    xp = namespace(images, mask)
    found = [
        _strong(xp, images[i, ...], mask, gain, background, strong) for i in range(images.shape[0])
    ]
    return xp.stack(found)


def _strong(
    xp: Array, image: Array, mask: Array, gain: float, background: float, strong: float
) -> Array:
    valid = (image >= 0) & ~mask
    counts = xp.clip(xp.astype(image, xp.int64), 0, MOST) * xp.astype(valid, xp.int64)
    n, total = _around(xp, xp.astype(valid, xp.int64)), _around(xp, counts)
    excess = n * counts - total
    spread = n * _around(xp, counts * counts) - total * total
    many, sums = xp.astype(n, xp.float64), xp.astype(total, xp.float64)
    above = xp.astype(excess, xp.float64)
    free = xp.clip(many - 1, 0, None)
    stands_out = (excess > 0) & (above * above > strong * strong * gain * many * sums)
    scattered = xp.astype(spread, xp.float64) > gain * sums * (
        free + background * xp.sqrt(2 * free)
    )
    single = xp.astype(counts, xp.float64) <= gain
    return stands_out & scattered & valid & (n >= LEAST) & ~single


def _around(xp: Array, values: Array) -> Array:
    """Sum the 7 x 7 pixels around each, from a table of sums over all pixels above and left."""
    for axis in (0, 1):
        length, other = values.shape[axis], values.shape[1 - axis]
        before = (HALF + 1, other) if axis == 0 else (other, HALF + 1)
        after = (HALF, other) if axis == 0 else (other, HALF)
        none = [xp.zeros(shape, dtype=values.dtype) for shape in (before, after)]
        upto = xp.cumulative_sum(xp.concat([none[0], values, none[1]], axis=axis), axis=axis)
        window = 2 * HALF + 1
        if axis == 0:
            values = upto[window : window + length, :] - upto[:length, :]
        else:
            values = upto[:, window : window + length] - upto[:, :length]
    return values


@strong_pixels.implementation("numba", requires=("numba",), priority=30)
def _(
    images: Array, mask: Array, gain: float = 1.0, background: float = 6.0, strong: float = 3.0
) -> Array:
    """One pass over each image with running sums; images in parallel."""
    from tasks.mx.strong_kernels import strong_in_image

    found: Host = np.zeros(images.shape, dtype=np.bool_)
    masked = np.ascontiguousarray(mask)

    def find(number: int) -> None:
        image = np.ascontiguousarray(images[number], dtype=np.int32)
        strong_in_image(image, masked, float(gain), float(background), float(strong), found[number])

    cores = min(current_engine().resources.cores, len(images))
    if cores <= 1:
        for number in range(len(images)):
            find(number)
        return found
    with ThreadPoolExecutor(cores) as pool:
        list(pool.map(find, range(len(images))))
    return found


@strong_pixels.implementation("cupy", requires=("cupy",), needs_gpu=True, priority=50)
def _(
    images: Array, mask: Array, gain: float = 1.0, background: float = 6.0, strong: float = 3.0
) -> Array:
    """Run the reference's sums on the GPU, image by image, so that little memory is needed."""
    cp = gpu_module("cupy")
    masked = cp.asarray(mask)
    found: list[Array] = []
    xp = namespace(masked)
    for image in images:
        answer = _strong(xp, cp.asarray(image), masked, gain, background, strong)
        found.append(answer if is_on_gpu(images) else to_host(answer))
    return cp.stack(found) if is_on_gpu(images) else np.stack(found)


def _case(level: float) -> tuple[Array, Array]:
    rng = np.random.default_rng(7)
    images = rng.poisson(level, (2, 60, 70)).astype(np.int32)
    for row, column in rng.integers(2, 55, (20, 2)):
        images[:, row : row + 3, column : column + 2] += rng.poisson(4 + 6 * level, (2, 3, 2))
    mask = rng.random((60, 70)) < 0.02
    mask[:, 30:33] = True
    images[1, 40:44] = -1
    images[0, 10, 10] = 2**31 - 1
    return images, mask


@strong_pixels.case
def strong_on_background() -> Inputs:
    """Make spots on a background, with gaps, a lost row and a pixel that counts far too much."""
    return _case(20.0), {}


@strong_pixels.case
def strong_on_almost_nothing() -> Inputs:
    """Make spots where most pixels have no photon, of a detector with a gain."""
    images, mask = _case(0.05)
    return (images, mask, 1.7, 5.0, 2.5), {}
