"""How wide reflections are: on the detector (sigma_b) and in rotation (sigma_m).

Kabsch, Acta Cryst. D66, 133 (2010), section 2.4: the spread on the detector is that of the spots'
pixels about the predicted ray; the reflecting range is the most likely one, given how the counts of
each spot divide among its images. Where the lattice's orientation spreads, spots are drawn out
along the rings, the more the further out: that width is told apart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.diffraction import F, Geometry
from tasks.mx import ice
from tasks.mx.crystal import Crystal
from tasks.mx.reflections import Spots

if TYPE_CHECKING:
    from tasks.mx.shoebox import Shoeboxes

REACH = 4.0
GENEROUS = (1.5, 1.2, 1.0)
"""How much wider than it is thought to be a peak is measured, if neighbours leave room for it."""
ROOMY, PLENTY = 0.5, 300
"""Share, or number, of the strong reflections that has to be free of neighbours."""
STRONG, FEWEST, MOST = 8.0, 5, 1500
ENOUGH = 50
"""Reflections that tell how spots grow with resolution."""
NEAR_ICE = 0.006
"""1/Angstrom from a ring of ice within which tails are not told."""
ROUNDS = 4
LONGEST_MARGIN = 25
LITTLE, TAIL_BINS = 5e-4, 60
CANDIDATES = np.geomspace(0.05, 5.0, 93)


@dataclass(frozen=True)
class Mosaicity:
    """
    The widths of reflections in Kabsch's frame, as standard deviations.

    Attributes
    ----------
    sigma_b_deg
        Of the diffracted beam's directions, the pixel's own width included.
    sigma_m_deg
        Of the rotation: reflecting range and bandpass.
    reflections
        How many tell so.
    reach
        How many standard deviations belong to the peak.
    spread_deg
        Of the lattice's orientation: it widens spots along e1 by ``2 sin(theta)`` times itself.
    """

    sigma_b_deg: float
    sigma_m_deg: float
    reflections: int = 0
    reach: float = REACH
    spread_deg: float = 0.0

    @property
    def beam_reach_deg(self) -> float:
        """Radius of a peak on the detector."""
        return self.reach * self.sigma_b_deg

    @property
    def range_deg(self) -> float:
        """Half of the rotation of a reflection whose zeta is 1."""
        return self.reach * self.sigma_m_deg

    def stretch(self, chord: F) -> F:
        """Return how much wider peaks are along e1 than along e2; `chord` is 2 sin(theta), (n,)."""
        return np.hypot(1, self.spread_deg / self.sigma_b_deg * chord)

    def wider(self, factor: float) -> Mosaicity:
        """Return the same with larger widths."""
        return replace(
            self,
            sigma_b_deg=factor * self.sigma_b_deg,
            sigma_m_deg=factor * self.sigma_m_deg,
            spread_deg=factor * self.spread_deg,
        )

    @staticmethod
    def join(parts: list[Mosaicity]) -> Mosaicity:
        """
        Return one that serves a whole sweep.

        The widest of the blocks, but no more than 1.3 times their median.
        """
        told = [part for part in parts if part.reflections]
        if not told:
            raise DataError(
                "no strong reflections were found where the crystal predicts them; look at the "
                "indexing and the beam centre"
            )
        widths = np.array([(part.sigma_b_deg, part.sigma_m_deg, part.spread_deg) for part in told])
        beam, mosaic, spread = np.minimum(widths.max(0), 1.3 * np.median(widths, 0)).tolist()
        number = sum(part.reflections for part in told)
        return Mosaicity(beam, mosaic, number, spread_deg=spread)


def margin(mosaicity: Mosaicity, geometry: Geometry, zeta_min: float = 0.05) -> int:
    """Return how many images before and after its own a block needs, 25 at most."""
    width = abs(geometry.rotation.width_deg)
    return int(min(np.ceil(mosaicity.range_deg / width / zeta_min) + 1, LONGEST_MARGIN))


def smallest_zeta(mosaicity: Mosaicity, geometry: Geometry, zeta_min: float = 0.05) -> float:
    """Return from which zeta on the whole range of a reflection fits into a block's margin."""
    images = margin(mosaicity, geometry, zeta_min) - 1
    return max(zeta_min, mosaicity.range_deg / abs(geometry.rotation.width_deg) / images)


def first_guess(spots: Spots, geometry: Geometry) -> Mosaicity:
    """Guess the widths from how many pixels and images strong spots have: good to a factor of 2."""
    detector, rotation = geometry.detector, geometry.rotation
    if not len(spots):
        raise DataError("there are no spots, the widths of reflections cannot be told")
    images = spots.images[:, 1] - spots.images[:, 0] + 1
    radius = np.sqrt(np.median(spots.pixels / images) / np.pi) * max(detector.pixel)
    beam = np.degrees(radius / 2 / detector.distance)
    width = abs(rotation.width_deg)
    mosaic = max(0.3 * width, 0.2 * (float(np.mean(images)) - 0.5) * width)
    return Mosaicity(float(beam), mosaic)


def reflecting_range(
    images: NDArray[np.int32],
    first: int,
    geometry: Geometry,
    crystal: Crystal,
    start: Mosaicity,
    mask: NDArray[np.bool_],
    saturation: float | None,
    d_min: float,
) -> Mosaicity:
    """
    Measure the widths of a block's strong reflections.

    Parameters
    ----------
    images
        (images, rows, columns), consecutive ones.
    first
        Image coordinate of the first.
    start
        A guess, such as `first_guess`.
    mask
        True where a pixel is left out, (rows, columns).

    Returns
    -------
    Mosaicity
        With 0 reflections, and the guess, if there are too few strong ones.
    """
    found = replace(start, reflections=0)
    for _ in range(ROUNDS):
        boxes, factor = _strong_boxes(
            images, first, geometry, crystal, start, mask, saturation, d_min, list(GENEROUS)
        )
        if len(boxes) < FEWEST:  # boxes may be so large that neighbours fill them
            start = start.wider(0.6)
            continue
        found = _measure(boxes, start.wider(factor), factor, geometry)
        if _no_wider(found, start, (1 + factor) / 2):
            return found
        start = found
    return found


def _no_wider(found: Mosaicity, start: Mosaicity, factor: float) -> bool:
    """Tell whether the boxes were large enough for what was found in them."""
    return (
        found.sigma_b_deg <= factor * start.sigma_b_deg
        and found.sigma_m_deg <= factor * start.sigma_m_deg
        and found.spread_deg <= 1.15 * start.spread_deg + 0.5 * start.sigma_b_deg
    )


def _strong_boxes(
    images: NDArray[np.int32],
    first: int,
    geometry: Geometry,
    crystal: Crystal,
    mosaicity: Mosaicity,
    mask: NDArray[np.bool_],
    saturation: float | None,
    d_min: float,
    factors: list[float],
) -> tuple[Shoeboxes, float]:
    """Return strong ones without neighbours, in boxes wider by the first factor that has enough."""
    from tasks.mx.shoebox import extract

    given, block = (mask, saturation, d_min), (first, first + len(images))
    wide = mosaicity.wider(factors[0])
    boxes = extract(images, first, geometry, crystal, wide, *given, block, inside=True)
    total, sigma = boxes.rough_sums()
    strong = total > STRONG * sigma
    alone = np.nonzero(boxes.whole & strong)[0]
    if len(alone) < min(ROOMY * strong.sum(), PLENTY) and len(factors) > 1:
        return _strong_boxes(images, first, geometry, crystal, mosaicity, *given, factors[1:])
    strongest = alone[np.argsort(-(total / sigma)[alone])[:MOST]]
    return boxes.take(np.sort(strongest)), factors[0]


def _measure(boxes: Shoeboxes, start: Mosaicity, generous: float, geometry: Geometry) -> Mosaicity:
    from tasks.mx.background import fit_background
    from tasks.mx.profile_kernels import above_background
    from tasks.mx.undisturbed import undisturbed

    reach, gain = start.beam_reach_deg, geometry.detector.gain
    background = fit_background(boxes, reach, gain)
    whose, image, u, v, photons, below = above_background(
        *boxes.arrays, boxes.jacobian, background.beta, background.number, gain, reach
    )
    above, radius, n = photons - below, np.hypot(u, v), len(boxes)
    chord = geometry.beam.wavelength / boxes.predicted.d
    beam, spread = start.sigma_b_deg, start.spread_deg
    for _ in range(6):
        near = radius <= start.reach * beam
        along, across = _moments(whose[near], above[near], u[near], v[near], n)
        along = along * start.stretch(chord) ** 2
        spread = _spread(along - across, chord)
        told = (along + across - (spread * chord) ** 2) / 2
        beam = float(np.sqrt(max(np.nanmedian(told), (beam / 2) ** 2)))
        beam = min(beam, start.sigma_b_deg)
    core = radius <= 3 * beam
    seen, level, edges = _per_image(boxes, whose, image, photons, below, core)
    mosaic = _likeliest(seen, level, edges, start.sigma_m_deg / generous)
    inner = np.where(edges[:, 1:] * edges[:, :-1] < 0, 0, np.abs(edges[:, 1:] + edges[:, :-1]) / 2)
    outside = ~core | (inner[whose, image] > 3 * mosaic)
    around, beneath, _ = _per_image(boxes, whose, image, photons, below, outside)
    alone = undisturbed(around, beneath, (seen - level).sum(axis=1))
    clear = alone & ~ice.on_ring(boxes.predicted.d, NEAR_ICE)
    alone = clear if clear.sum() >= ENOUGH else alone
    within = inner
    seen, level, edges, inner = (each[alone] for each in (seen, level, edges, inner))
    mosaic = _likeliest(seen, level, edges, start.sigma_m_deg / generous)
    told = alone[whose] & (within[whose, image] <= 3 * mosaic)
    beam = max(beam, _tail(radius[told], above[told], photons[told]) / start.reach)
    mosaic = max(mosaic, _tail(inner, seen - level, seen) / start.reach)
    beam, mosaic = min(beam, start.sigma_b_deg), min(mosaic, start.sigma_m_deg)
    return Mosaicity(beam, mosaic, n, start.reach, spread)


def _moments(whose: NDArray[np.int64], above: F, u: F, v: F, n: int) -> tuple[F, F]:
    """Return the photons' mean squares along e1 and e2, (n,); NaN where there are none."""
    total: Any = np.bincount(whose, above, n)
    total = np.where(total > 0, total, np.nan)
    return np.bincount(whose, above * u**2, n) / total, np.bincount(whose, above * v**2, n) / total


def _spread(longer: F, chord: F) -> float:
    """Return what draws spots out the more the further out they are; all are drawn out somehow."""
    if len(chord) < ENOUGH or np.ptp(chord) == 0:
        return 0.0
    outer = chord >= np.median(chord)
    levels = [(np.nanmedian(longer[rows]), np.median(chord[rows] ** 2)) for rows in (outer, ~outer)]
    (more, far), (less, near) = levels
    return float(np.sqrt(max((more - less) / (far - near), 0)))


def _per_image(
    boxes: Shoeboxes,
    whose: NDArray[np.int64],
    image: NDArray[np.int64],
    photons: F,
    below: F,
    near: NDArray[np.bool_],
) -> tuple[F, F, F]:
    """Return photons and background per image, (n, images), and the images' edges along e3."""
    n, most = len(boxes), int(boxes.size[:, 2].max())
    at = (whose * most + image)[near]
    seen: Any = np.bincount(at, photons[near], n * most).reshape(n, most)
    level: Any = np.bincount(at, below[near], n * most).reshape(n, most)
    number = np.minimum(np.arange(most + 1), boxes.size[:, 2:3]) + boxes.corner[:, 2:3]
    edges = (number - boxes.predicted.xyz[:, 2:3]) * boxes.per_image[:, None]
    return seen, level, edges


def _tail(distance: F, above: F, counts: F) -> float:
    """Return beyond which distance less than 0.05 % of the strong peaks' photons lie."""
    furthest = float(distance.max())
    if furthest == 0:  # one image tells of no rotation
        return 0.0
    at = np.minimum((distance / furthest * TAIL_BINS).astype(int), TAIL_BINS - 1).ravel()
    sums: Any = np.bincount(at, above.ravel(), TAIL_BINS)
    variances: Any = np.bincount(at, counts.ravel(), TAIL_BINS)
    return furthest * _where_little_is_left(sums, variances) / TAIL_BINS


def _where_little_is_left(sums: F, variances: F) -> int:
    """Return how many of the first bins hold all but 0.05 %, or what noise hides."""
    left = np.cumsum(sums[::-1])[::-1]
    noise = np.sqrt(np.cumsum(variances[::-1])[::-1])
    little = left < LITTLE * sums.sum() + 2 * noise
    return int(np.argmax(little)) if little.any() else len(sums)


def _likeliest(counts: F, below: F, edges: F, about: float) -> float:
    """
    Return the reflecting range under which the counts per image are likeliest.

    Parameters
    ----------
    counts, below
        Peak with background, and background alone, per reflection and image, (n, images).
    edges
        Of the images from the predicted angle, times zeta, in degrees, (n, images + 1).
    """
    from scipy.special import ndtr  # pyright: ignore[reportMissingTypeStubs]

    strength = (counts - below).sum(axis=1, keepdims=True).clip(1)
    weight = np.minimum(1, 2000 / strength[:, 0])
    scores: list[F] = []
    for sigma in CANDIDATES * about:
        expected = strength * np.abs(np.diff(ndtr(edges / sigma), axis=1)) + below + 1e-3
        likelihood = np.where(counts + below > 0, counts * np.log(expected) - expected, 0)
        scores.append(likelihood.sum(axis=1) * weight)
    score = np.array(scores)
    best = int(score.sum(axis=1).argmax())
    lost: NDArray[Any] = score.max(axis=0) - score[best]
    usual = lost <= np.quantile(lost, 0.9)
    best = int(score[:, usual].sum(axis=1).argmax())
    return float(CANDIDATES[best] * about)
