"""
Where F(Q) should end: the Q beyond which it holds more noise than signal.

Of what lies beyond Qmax the signal is lost to G(r), of what lies before it the noise is taken in;
their sum is least where signal and noise are equally strong. Both are compared at the resolution
that G(r) up to a largest distance asks for, since noise beyond that distance does not show.
"""

import numpy as np

from tasks.pdf.tables import F

_WIDTH = 2.0  # 1/Å over which powers are averaged
_SLOW = 4.0  # 1/Å: what varies more slowly is a matter of corrections, not of distances


def propose_qmax(
    q: F, f: F, f_sigma: F, *, qmin: float = 0.0, qmax: float | None = None, rmax: float = 30.0
) -> float:
    """
    Propose one Qmax for a series.

    Parameters
    ----------
    q
        1/Å, shape (bins,).
    f, f_sigma
        1/Å, shape (frames, bins) or (bins,).
    qmin, qmax
        Range within which to look, 1/Å; all by default.
    rmax
        Up to which G(r) matters, Å.

    Returns
    -------
    float
        1/Å; the end of the range where signal is above the noise throughout.
    """
    last = q[-1] if qmax is None else qmax
    inside = (q >= qmin) & (q <= last)
    centres, signal, noise = powers(
        q[inside], np.atleast_2d(f)[:, inside], np.atleast_2d(f_sigma)[:, inside], rmax
    )
    strong = np.flatnonzero(signal > noise)
    if len(strong) == 0 or strong[-1] == len(centres) - 1:
        return float(min(last, q[-1]))
    peak = int(np.argmax(signal))
    sunk = np.flatnonzero(signal[peak:] <= noise[peak:])
    return float(centres[peak + sunk[0]]) if len(sunk) else float(min(last, q[-1]))


def powers(q: F, f: F, f_sigma: F, rmax: float) -> tuple[F, F, F]:
    """
    Power of signal and of noise along Q, averaged over the frames.

    Returns
    -------
    centres, signal, noise : numpy.ndarray
        1/Å, 1/Å², 1/Å²; shape (steps,), in steps of pi / rmax.
    """
    step = np.pi / rmax
    cell = ((q - q[0]) / step).astype(int)
    count = np.bincount(cell)
    used = count > 0
    average = np.zeros((len(q), len(count)))
    average[np.arange(len(q)), cell] = 1 / count[cell]
    average = average[:, used]
    values, variance = f @ average, f_sigma**2 @ average**2
    fast = values - _running_mean(values, round(_SLOW / step))
    noise = _running_mean(variance, round(_WIDTH / step)).mean(axis=0)
    total = _running_mean(fast**2, round(_WIDTH / step)).mean(axis=0)
    return q @ average, total - noise, noise


def _running_mean(values: F, width: int) -> F:
    """Average over up to `width` neighbours, fewer at the ends."""
    half = max(width // 2, 1)
    sums = np.cumsum(np.pad(values, ((0, 0), (1, 0))), axis=1)
    place = np.arange(values.shape[1], dtype=np.int64)
    low, high = np.maximum(place - half, 0), np.minimum(place + half + 1, values.shape[1])
    return (sums[:, high] - sums[:, low]) / (high - low)
