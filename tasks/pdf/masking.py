"""
Which pixels to leave out: those that the file marks, dead and hot ones, the beam stop, spots.

A mask is True where a pixel is left out.
"""

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.powder import F
from tasks.pdf.rings import Mask, outliers, ring_statistics, rings_of
from tasks.pdf.shadow import beam_stop

_LEAST_USED = 0.05  # of the pixels
_SATURATED = 1e-4  # of the pixels
_PILED_UP = 30  # pixels at the largest value, and more than just below it
_NEIGHBOUR = 0.5  # of the largest value: a stuck pixel stands alone, a saturated one does not
_SPOT = 3  # pixels that hang together; fewer are hot pixels
_CHANCE = 1e-8  # of a good pixel to say the same in all frames
_FLANK = 3.0  # sigma, down to which a spot reaches


@dataclass(frozen=True)
class BadPixels:
    """
    Pixels that an image itself tells to leave out, (rows, columns) each.

    Attributes
    ----------
    shadow
        Behind the beam stop and its arm.
    dead
        Far below their ring.
    hot
        Far above their ring, alone or in pairs.
    spots
        Far above their ring, three or more together: single crystals, diamonds, cosmic rays.
    grainy
        Number of rings whose bright pixels are so many that they were left: a grainy powder.
    """

    shadow: Mask
    dead: Mask
    hot: Mask
    spots: Mask
    grainy: int

    @property
    def mask(self) -> Mask:
        """All of them together."""
        return self.shadow | self.dead | self.hot | self.spots

    def counts(self) -> dict[str, int]:
        """Return how many pixels there are of each kind."""
        kinds = {"shadow": self.shadow, "dead": self.dead, "hot": self.hot, "spots": self.spots}
        return {name: int(mask.sum()) for name, mask in kinds.items()}


def bad_pixels(
    frames_mean: NDArray[Any],
    two_theta: F,
    mask: Mask | None = None,
    *,
    weight: F | None = None,
    cutoff: float = 5.0,
    photons: float | None = None,
    shadow: bool = True,
    spots: bool = True,
) -> BadPixels:
    """
    Find bad pixels in an image, best the mean of some frames.

    Parameters
    ----------
    frames_mean
        Above dark, (rows, columns).
    two_theta
        Scattering angle of the pixels, rad, (rows, columns).
    mask
        What is left out already, (rows, columns).
    weight
        What one count of signal stands for, (rows, columns), so that rings are even.
    cutoff
        In sigma of the ring.
    photons
        How many one unit of the image is: the number of frames, where photons are counted and
        averaged; 1 for one such frame; None if that is not known.
    shadow, spots
        Whether to look for a beam stop and for spots.

    Raises
    ------
    DataError
        Hardly anything is left.
    """
    left_out = ~np.isfinite(frames_mean) if mask is None else mask | ~np.isfinite(frames_mean)
    nowhere = np.zeros_like(left_out)
    even = frames_mean if weight is None else frames_mean / weight
    behind = beam_stop(even, two_theta, left_out) if shadow else nowhere
    found = outliers(
        frames_mean,
        two_theta,
        left_out | behind,
        weight=weight,
        cutoff=cutoff,
        photons=photons,
    )
    grown = _spots(found.score, found.high) if spots else nowhere
    bad = BadPixels(behind, found.low & ~grown, found.high & ~grown, grown, found.grainy)
    check_mask(left_out | bad.mask)
    return bad


def stuck_pixels(
    frames: NDArray[Any], two_theta: F, mask: Mask | None = None, cutoff: float = 8.0
) -> Mask:
    """
    Find pixels that always say the same, or that flicker, in a stack of frames.

    Parameters
    ----------
    frames
        At least five, (frames, rows, columns).
    two_theta
        Scattering angle of the pixels, rad, (rows, columns).
    mask
        What is left out already, (rows, columns).
    cutoff
        In sigma of how frames usually differ within the ring.
    """
    if len(frames) < 5:
        raise ValueError(f"{len(frames)} frames do not tell which pixels are stuck: give five")
    left_out = np.zeros(two_theta.shape, np.bool_) if mask is None else mask
    first = frames[0].astype(np.float64)
    total, squares = np.zeros_like(first), np.zeros_like(first)
    for frame in frames:  # one at a time: a stack in double precision need not fit
        off = frame - first
        total += off
        squares += off * off
    differ = np.sqrt(np.maximum(squares / len(frames) - (total / len(frames)) ** 2, 0))
    ring, rings = rings_of(two_theta)
    usual = ring_statistics(differ[~left_out], ring[~left_out], rings)[0][ring]
    # counts that scatter by sigma are all alike with a probability of (0.28 / sigma)^(frames - 1)
    least = 0.28 * _CHANCE ** (-1 / (len(frames) - 1)) if frames.dtype.kind in "iu" else 0.0
    constant = (differ == 0) & (usual > least) & ~left_out
    return constant | outliers(differ, two_theta, left_out, cutoff=cutoff).high


def valid_range(dtype: np.dtype[Any]) -> tuple[float | None, float | None]:
    """
    Return the lowest and the highest value that a photon counter's image can hold.

    Such detectors mark dead pixels and gaps by negative values, or by the largest that an unsigned
    type can hold. Images that are already above their dark may have negative values: give them no
    limits.
    """
    if dtype.kind == "u":
        return None, float(np.iinfo(dtype).max) - 1
    return 0.0, None


def mean_image(
    frames: NDArray[Any], lowest: float | None = None, highest: float | None = None
) -> F:
    """
    Average frames over their valid values, (rows, columns); NaN where there is none.

    Parameters
    ----------
    frames
        (frames, rows, columns).
    lowest, highest
        Values outside are not valid; neither are those that are no numbers.
    """
    total, number = np.zeros(frames.shape[1:]), np.zeros(frames.shape[1:])
    for frame in frames:
        good = np.isfinite(frame)
        good &= frame >= lowest if lowest is not None else True
        good &= frame <= highest if highest is not None else True
        total += np.where(good, frame, 0)
        number += good
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def join_masks(shape: tuple[int, int], *masks: Mask | None, where: str = "The mask") -> Mask:
    """
    Join masks; those that are None leave nothing out.

    Raises
    ------
    DataError
        One has another size, or hardly anything is left.
    """
    joined = np.zeros(shape, np.bool_)
    for mask in masks:
        if mask is None:
            continue
        if mask.shape != shape:
            raise DataError(
                f"{where} has {' x '.join(map(str, mask.shape))} pixels, the images have "
                f"{shape[0]} x {shape[1]}: it is of another detector or binning. Choose the mask "
                f"of this one."
            )
        joined |= mask
    check_mask(joined, where)
    return joined


def check_mask(mask: Mask, where: str = "The mask") -> None:
    """
    Check that a mask leaves enough to integrate.

    Raises
    ------
    DataError
        Less than a twentieth of the pixels is left.
    """
    left = 1 - float(mask.mean())
    if left < _LEAST_USED:
        raise DataError(
            f"{where} leaves {left:.1%} of the pixels, too few to integrate: is it inverted (True "
            f"means left out), or of another detector? Correct or leave out the mask."
        )


def check_saturation(
    image: NDArray[Any], mask: Mask, saturation: float | None = None, where: str = "The image"
) -> int:
    """
    Check that an image is not overexposed.

    Parameters
    ----------
    image
        Raw values, (rows, columns).
    mask
        True for pixels that count not, (rows, columns).
    saturation
        Counts from which a pixel is saturated; when left out, a largest value that many pixels
        share tells.
    where
        What to call the image in the error's sentence.

    Returns
    -------
    int
        Saturated pixels, fewer than are refused.

    Raises
    ------
    DataError
        More than one in ten thousand pixels is saturated together with its neighbours.
    """
    used = np.where(mask, 0, image)
    limit = saturation if saturation is not None else _pile_up(used)
    if limit is None:
        return 0
    over = (used >= limit) & ~mask
    together = over & _bright_beside(used, _NEIGHBOUR * limit)
    if together.sum() > _SATURATED * (~mask).sum():
        raise DataError(
            f"{where} is overexposed: {int(together.sum())} pixels hold the largest count "
            f"({limit:g}) or more, so the intensity there is not known. Take it again with a "
            f"shorter exposure or an attenuator, or mask these pixels."
        )
    return int(over.sum())


def _pile_up(image: NDArray[Any]) -> float | None:
    """Return the largest value if more pixels hold it than the tenth below it."""
    largest = float(image.max())
    at = int((image == largest).sum())
    below = int(((image >= 0.9 * largest) & (image < largest)).sum())
    return largest if largest > 100 and at >= _PILED_UP and at > 3 * below else None


def _bright_beside(image: NDArray[Any], level: float) -> Mask:
    """Tell which pixels have at least two of four neighbours above a level."""
    bright = np.pad(image >= level, 1)
    beside = bright[:-2, 1:-1].astype(np.int8) + bright[2:, 1:-1]
    return beside + bright[1:-1, :-2] + bright[1:-1, 2:] >= 2


def _spots(score: NDArray[np.float32], high: Mask) -> Mask:
    """Grow outliers to their flanks; keep those of three and more pixels together."""
    ndimage: Any = importlib.import_module("scipy.ndimage")

    labels: Any = ndimage.label(score > _FLANK, np.ones((3, 3)))[0]
    size = np.bincount(labels.ravel())
    seeds = np.bincount(labels.ravel(), weights=high.ravel())
    spot = (size >= _SPOT) & (seeds > 0)
    spot[0] = False
    return spot[labels]
