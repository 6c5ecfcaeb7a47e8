"""
Two independent ways to find the rotation axis in one sinogram.

*Symmetry* uses all projections of half a turn: mirrored about the right axis and put after the
sinogram, they complete a whole turn, and the Fourier transform of a whole turn is empty outside a
double wedge (N. T. Vo et al., Opt. Express 22, 19078 (2014), doi:10.1364/OE.22.019078).
*Registration* uses projections half a turn apart: each is the mirror image of the other about the
axis. It knows nothing of the whole turn, so other faults of the data mislead it.

An axis is in columns, pixel centres at whole numbers.
"""

from typing import Any, NamedTuple

import numpy as np
import scipy.fft  # pyright: ignore[reportMissingTypeStubs]

from tasks.arrays import Host

_fft: Any = scipy.fft

_MOST_PROJECTIONS = 720  # more are averaged in groups: they sharpen slices, hardly the axis
_MARGIN = 0.1  # of the width: the axis is not looked for closer to the edges
_TAPER = 0.25  # of the window's half width, where it falls to zero
_PAIRS = 24  # pairs of projections that are registered


class Estimate(NamedTuple):
    """
    An axis, and how far it stands out of the other candidates.

    Attributes
    ----------
    axis
        In columns.
    contrast
        1 where no other candidate comes near, 0 where another is as good.
    """

    axis: float
    contrast: float


def axis_by_symmetry(sinogram: Host, angles: Host) -> Estimate:
    """
    Find the axis about which half a turn completes to a whole one (Vo et al. 2014).

    The paper's metric is the mean magnitude outside the double wedge. With the power in place of
    the magnitude all candidates come from one Fourier transform: mirroring reverses the column
    frequency, moving the mirror image turns its phase, and only the product of both halves
    depends on the candidate.

    Parameters
    ----------
    sinogram
        Absorbance, shape (angles, columns).
    angles
        Radians; of more than half a turn the first half is used.

    Returns
    -------
    Estimate
        The best candidate between the margins.
    """
    columns: int = sinogram.shape[1]
    half = half_turn(sinogram, angles)
    candidates: Host = np.arange(_MARGIN * columns, (1 - _MARGIN) * columns, 0.5)
    score = -_overlap(half, candidates)
    best = int(np.argmax(score))
    window = _Window(half, candidates[best])
    near = candidates[best] + np.arange(-12, 13) / 4
    matched = np.array([window.cancellation(candidate) for candidate in near])
    axis = _vertex(near, matched, int(np.argmax(matched)))
    return Estimate(axis, _contrast(candidates, score, best))


def axis_by_registration(sinogram: Host, angles: Host) -> Estimate:
    """
    Find the axis about which projections half a turn apart are mirror images.

    Pairs are seldom exactly half a turn apart, and within the missing angle the image moves. So
    several pairs are registered and the axis is extrapolated to the exact half turn. Similarity
    is the covariance over the columns that both see, over the mean of their variances.

    Parameters
    ----------
    sinogram
        Absorbance, shape (angles, columns).
    angles
        Radians, covering about half a turn or more.

    Returns
    -------
    Estimate
        The best candidate between the margins.
    """
    columns: int = sinogram.shape[1]
    first, second, lag = _opposite(angles)
    similarity = _similarity(sinogram[first], sinogram[second])
    candidates: Host = np.arange(2 * columns - 1) / 2
    inside = np.abs(candidates - columns / 2) < (0.5 - _MARGIN) * columns
    candidates, similarity = candidates[inside], similarity[:, inside]
    together = similarity.mean(axis=0)
    best = int(np.argmax(together))
    near = np.abs(candidates - candidates[best]) <= max(3.0, 0.02 * columns)
    axes = np.array([_vertex(candidates[near], s, int(np.argmax(s))) for s in similarity[:, near]])
    return Estimate(_at_half_turn(axes, lag), _contrast(candidates, together, best))


def half_turn(sinogram: Host, angles: Host) -> Host:
    """
    Take evenly spaced projections of the first half turn, its end excluded.

    Parameters
    ----------
    sinogram
        Shape (angles, columns).
    angles
        Radians, monotonic, possibly with gaps.

    Returns
    -------
    numpy.ndarray
        Shape (n, columns); gaps are interpolated, and long scans averaged in groups.
    """
    turned = np.abs(angles - angles[0])
    count = max(int(np.rint(np.pi / np.median(np.diff(turned)))), 2)
    place = np.interp(np.arange(count) * np.pi / count, turned, np.arange(len(turned)))
    lower = np.minimum(place.astype(int), len(turned) - 2)
    share = (place - lower)[:, None].astype(np.float32)
    even = sinogram[lower] * (1 - share) + sinogram[lower + 1] * share
    group = -(-count // _MOST_PROJECTIONS)
    return even[: count // group * group].reshape(count // group, group, -1).mean(axis=1)


def _overlap(half: Host, candidates: Host) -> Host:
    """Correlate the half turn with its mirror images outside the double wedge."""
    count, columns = half.shape
    length: int = _fft.next_fast_len(2 * columns, real=True)
    air = (half[:, :4].mean() + half[:, -4:].mean()) / 2
    lines: Host = _fft.rfft(half - air, length, axis=1)
    used, spectrum, mirrored = _outside_wedge(lines, count, columns, length, margin=3)
    cross = (np.conj(spectrum) * mirrored).sum(axis=0)
    frequency = 2 * np.pi * used / length
    blocks = np.array_split(candidates, max(1, len(candidates) * len(used) // (1 << 21)))
    return np.concatenate(
        [(np.exp(-2j * np.outer(block, frequency)) @ cross).real for block in blocks]
    )


def _outside_wedge(
    lines: Host, count: int, columns: int, length: int, margin: float
) -> tuple[Host, Host, Host]:
    """
    Transform lines over angles, and their mirror image's about column zero, outside the wedge.

    Parameters
    ----------
    lines
        ``rfft`` over columns of half a turn, shape (count, frequencies), padded to `length`.
    columns
        Width of the field, which is that of the largest sample.
    margin
        Orders beyond the edge of the wedge that are left out too.

    Returns
    -------
    used, spectrum, mirrored
        Indices of the frequencies in use, and both transforms, (2 count, used).
    """
    slope = np.pi * columns / length  # of the wedge: orders per index of frequency
    used = np.arange(4, int(min(lines.shape[1], 0.8 * count / slope)))
    order = np.fft.ifftshift(np.arange(-count, count))
    outside = np.abs(order)[:, None] > slope * used + margin
    spectrum: Host = _fft.fft(lines[:, used], 2 * count, axis=0) * outside
    # mirroring takes (k, w) to (k, -w); the mirror image comes half the length later
    mirrored = np.conj(spectrum[-np.arange(2 * count)]) * (1 - 2 * (order % 2))[:, None]
    return used, spectrum, mirrored


class _Window:
    """
    Half a turn seen through a window that is symmetric about the candidate.

    Where the sample leaves the field, the edges of the field are not symmetric about the axis and
    pull the result towards the middle of the detector; inside the window there are none.
    """

    def __init__(self, half: Host, near: float) -> None:
        self._count, columns = half.shape
        self._reach = min(near, columns - 1 - near) - 4
        extra = columns // 4
        extended = np.pad(half, ((0, 0), (extra, extra)), mode="edge")
        self._length = int(_fft.next_fast_len(extended.shape[1] + extra, real=True))
        lines: Host = _fft.rfft(extended - half.mean(), self._length, axis=1)
        # the window needs no finer columns than the frequencies in use
        self._kept = min(
            int(lines.shape[1]), int(self._count * self._length / (np.pi * columns)) + 8
        )
        self._lines, self._first = lines[:, : self._kept], -float(extra)

    def cancellation(self, candidate: float) -> float:
        """How much of the power outside the wedge mirroring about a candidate cancels, -1..1."""
        length = 2 * (self._kept - 1)
        scale = self._length / length
        frequency = 2 * np.pi * np.arange(self._kept) / self._length
        centred = self._lines * np.exp(1j * frequency * (candidate - self._first))
        columns: Host = _fft.irfft(centred, length, axis=1)
        distance = np.abs(np.fft.fftfreq(length, 1 / length)) * scale / self._reach
        inside = np.clip((1 - distance) / _TAPER, 0, 1)
        windowed: Host = _fft.rfft(columns * (0.5 - 0.5 * np.cos(np.pi * inside)), axis=1)
        width = int(2 * self._reach / scale)
        _, spectrum, mirrored = _outside_wedge(windowed, self._count, width, length, margin=3)
        power = float((np.abs(spectrum) ** 2).sum())
        return -float((np.conj(spectrum) * mirrored).sum().real) / power if power > 0 else 0.0


def _opposite(angles: Host) -> tuple[Host, Host, Host]:
    """Choose pairs of projections nearest to half a turn apart, and by how much each misses it."""
    turned = np.abs(angles - angles[0])
    step = float(np.median(np.diff(turned)))
    reach = max(4, _PAIRS // 4)
    first = np.repeat(np.arange(len(turned)), 2 * reach)
    nearest = np.array(np.searchsorted(turned, turned + np.pi), int)
    partner = (nearest[:, None] + np.arange(-reach, reach)).ravel()
    exists = (partner >= 0) & (partner < len(turned))
    first, partner = first[exists], partner[exists]
    lag = turned[partner] - turned[first] - np.pi
    exact = np.flatnonzero(np.abs(lag) <= 0.51 * step)
    if len(exact) >= _PAIRS:
        chosen = exact[np.linspace(0, len(exact) - 1, _PAIRS).astype(int)]
    else:
        chosen = np.argsort(np.abs(lag), kind="stable")[:_PAIRS]
    return first[chosen], partner[chosen], lag[chosen]


def _similarity(projections: Host, opposites: Host) -> Host:
    """Compare p(u) with q(s - u) for s = 0 .. 2 (columns - 1); shape (pairs, 2 columns - 1)."""
    columns = projections.shape[1]
    length: int = _fft.next_fast_len(2 * columns, real=True)

    def convolve(p: Host, q: Host) -> Host:
        product = _fft.rfft(p, length) * _fft.rfft(q, length)
        return _fft.irfft(product, length)[..., : 2 * columns - 1]

    level = np.mean([projections, opposites])  # keeps the differences of large sums exact
    p, q = projections.astype(float) - level, opposites.astype(float) - level
    one = np.ones(columns)
    count = np.rint(convolve(one, one))
    sum_p, sum_q = convolve(p, one), convolve(one, q)
    covariance = convolve(p, q) - sum_p * sum_q / count
    variances = convolve(p * p, one) + convolve(one, q * q) - (sum_p**2 + sum_q**2) / count
    least = 1e-3 * variances.max(axis=1, keepdims=True)
    return 2 * covariance / np.maximum(variances, least)


def _at_half_turn(axes: Host, lag: Host) -> float:
    """Median of the axes, or where lags differ the value of their line at lag zero."""
    if np.ptp(lag) < 1e-6:
        return float(np.median(axes))
    keep = np.abs(axes - np.median(axes)) <= 3 * np.median(np.abs(axes - np.median(axes))) + 0.5
    return float(np.polyfit(lag[keep], axes[keep], 1)[1])


def _vertex(positions: Host, score: Host, best: int) -> float:
    """Place of the maximum between samples, by the parabola through three of them."""
    if best in (0, len(score) - 1):
        return float(positions[best])
    before, at, after = score[best - 1 : best + 2]
    bend = before - 2 * at + after
    shift = 0.5 * (before - after) / bend if bend < 0 else 0.0
    return float(positions[best] + shift * (positions[1] - positions[0]))


def _contrast(positions: Host, score: Host, best: int) -> float:
    """How far the best score is above the best outside its own peak, over the whole spread."""
    typical = float(np.median(score))
    height = float(score[best]) - typical
    if height <= 0:
        return 0.0
    lower = positions[score < typical + height / 2]
    width = float(np.abs(lower - positions[best]).min(initial=np.inf))
    away = np.abs(positions - positions[best]) > 3 * width
    rival = float(score[away].max(initial=typical)) - typical
    return 1 - rival / height
