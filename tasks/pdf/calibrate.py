"""
From the image of a calibrant to the geometry of a detector, or a reason why not.

The centre comes first, from the directions of the rings alone; then the distance, at which rings
lie where the calibrant has them; then a fit to control points, ring by ring and azimuth by azimuth.
A fit that converged is not believed for that: it must explain the pattern.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.pdf.calibrants import d_spacings
from tasks.pdf.calibration import Calibration, Ring
from tasks.pdf.geometry import Geometry
from tasks.pdf.ring_centre import find_centres, fit_directions
from tasks.pdf.ring_check import Evidence, profile, weigh
from tasks.pdf.ring_distance import Match, fit_ridges, ring_angles, scan_distances
from tasks.pdf.ring_model import Plane
from tasks.pdf.ring_points import Fit, find_control_points, fit_points
from tasks.pdf.ring_ridges import Ridges, find_ridges, hot_pixels

F = NDArray[np.float64]
B = NDArray[np.bool_]

_FEW_RIDGES = 60
_FEW_RINGS = 4
_SAME = 5.0  # steps of the ridges, difference of planes that are one
_PROMISING = 0.4  # nats per point: a plane that need not be looked for more thoroughly
_HOPELESS = 0.1
_MARGIN = 0.15  # nats per point above the next best plane
_EVIDENCE = 8.0  # nats above the next best plane
_PIECE = 20  # points on a crest that are one piece of evidence
_MISFIT = 1.0  # pixels, root mean square
_SECTOR = 0.7  # pixels, mean over an eighth of the azimuth
_EXPLAINED = 0.85  # of the peaks
_MISSED = 0.25  # of the rings that should be seen
_DOUBT = 0.7  # pixels, 1 sigma of where a ring would lie, anywhere on the detector
_RING = 0.1  # pixels, mean misfit of a ring: none is known better
_TELLS = 0.02  # relative error of the wavelength with which it can be checked
_NOWHERE = (
    "No distance was found at which {} has its rings where the image has some: the calibrant or "
    "the wavelength may be another one, or these are no rings."
)
_FAR = 0.15  # relative difference from the distance that was given


def calibrate(
    image: NDArray[Any],
    calibrant: str,
    pixel: tuple[float, float],
    *,
    wavelength: float,
    start: Geometry | None = None,
    mask: B | None = None,
    refine_wavelength: bool = False,
    orientation: int = 3,
) -> Calibration:
    """
    Find the geometry of a detector from the rings of a calibrant.

    Parameters
    ----------
    image
        Counts, shape (rows, columns).
    calibrant
        Name, see `tasks.pdf.calibrants`.
    pixel
        m, height and width of a pixel.
    wavelength
        A.
    start
        Where the detector is thought to be; one more candidate, and where the rings cannot tell
        distance from wavelength its distance is what the one found is compared with.
    mask
        True where a pixel is left out, same shape.
    refine_wavelength
        Fit it too; only where rings reach far out does that lead anywhere.
    orientation
        pyFAI's and EXIF's number (1..4) of how the image lies; 3 is pyFAI's usual one.

    Raises
    ------
    DataError
        If the calibrant is not known.
    """
    spacings = d_spacings(calibrant)
    counts, valid = _upright(image, mask, orientation)
    task = _Task(counts, valid, calibrant, spacings, pixel, wavelength, start, refine_wavelength)
    found = task.solve()
    if found.geometry is None:
        return found
    return replace(
        found, geometry=replace(found.geometry, orientation=orientation, shape=image.shape)
    )


def _upright(image: NDArray[Any], mask: B | None, orientation: int) -> tuple[F, B]:
    """Turn an image so that its indices grow along pyFAI's axes, and tell which pixels count."""
    counts = np.asarray(image, np.float64)
    valid = np.isfinite(counts) if mask is None else np.isfinite(counts) & ~np.asarray(mask, bool)
    if np.issubdtype(image.dtype, np.integer):
        valid &= (counts >= 0) & (counts < np.iinfo(image.dtype).max)
    valid &= (counts != -1) & (counts != -2)  # how Pilatus images mark gaps and dead pixels
    counts = np.where(valid, counts, 0.0)
    valid &= ~hot_pixels(counts)
    rows = -1 if orientation in (1, 2) else 1
    columns = -1 if orientation in (1, 4) else 1
    return np.where(valid, counts, 0.0)[::rows, ::columns], valid[::rows, ::columns]


@dataclass(frozen=True)
class _Task:
    counts: F
    valid: B
    calibrant: str
    spacings: F
    pixel: tuple[float, float]
    wavelength: float
    start: Geometry | None
    refine_wavelength: bool

    def solve(self) -> Calibration:
        ridges = find_ridges(self.counts, self.valid, self.pixel)
        if len(ridges.x1) < _FEW_RIDGES:
            return self._refused("No rings are to be seen in the image: it is dark or even.")
        matches = self._matches(ridges)
        if not matches:
            return self._refused(_NOWHERE.format(self.calibrant))
        return self._judge(matches[0], matches, ridges)  # no other could be told from that one

    def _matches(self, ridges: Ridges) -> list[Match]:
        """Return planes on whose rings ridges lie, best first, each once."""
        rings = ring_angles(self.spacings, self.wavelength)
        centres = find_centres(ridges)
        planes = fit_directions(ridges, centres)
        matches = self._at_distances(ridges, planes, rings)
        if self.start is not None:
            start = _plane(self.start)
            matches += self._at_distances(ridges, [start], rings)
            matches.append(fit_ridges(ridges, Match(start, 0.0), rings))
        if max((match.score for match in matches), default=0.0) < _PROMISING:
            planes = fit_directions(ridges, centres, thorough=True)
            matches += self._at_distances(ridges, planes, rings)
        matches.sort(key=lambda match: -match.score)
        kept: list[Match] = []
        for match in matches:
            if not any(_same(match.plane, other.plane, ridges) for other in kept):
                kept.append(match)
        return kept

    def _at_distances(self, ridges: Ridges, planes: list[Plane], rings: F) -> list[Match]:
        found = [match for plane in planes for match in scan_distances(ridges, plane, rings)]
        return [fit_ridges(ridges, match, rings) for match in found]

    def _judge(self, match: Match, matches: list[Match], ridges: Ridges) -> Calibration:
        fit = self._fit(match.plane, free=False) if match.score > _HOPELESS else None
        if fit is None:
            return self._refused(_NOWHERE.format(self.calibrant))
        free = self._with_wavelength(fit)
        used = free if self.refine_wavelength else fit
        rings = ring_angles(self.spacings, used.wavelength)
        every = ring_angles(d_spacings(self.calibrant, weak=True), used.wavelength)
        pattern = profile(self.counts, self.valid, used.plane, self.pixel)
        evidence = weigh(pattern, rings, every)
        objection = (
            self._scatter(used, ridges)
            or self._unexplained(evidence)
            or self._ambiguous(used, matches, ridges, rings)
            or self._wavelength_off(fit, free)
        )
        return self._result(used, free, objection)

    def _fit(self, plane: Plane, *, free: bool) -> Fit | None:
        """Look for control points and fit, until they move no more."""
        wavelength, width, fit = self.wavelength, 1.0, None
        for _ in range(4):
            rings = ring_angles(self.spacings, wavelength)
            points = find_control_points(self.counts, self.valid, plane, rings, self.pixel, width)
            fit = fit_points(points, plane, self.spacings, wavelength, free_wavelength=free)
            if fit is None:
                return None
            before, plane, wavelength = plane, fit.plane, fit.wavelength
            widened, width = points.width > 1.3 * width, points.width
            at = fit.points.x1, fit.points.x2
            moved = np.abs(plane.two_theta(*at) - before.two_theta(*at)) / fit.points.pixel
            if np.median(moved) < 0.02 and not widened:
                break
        return fit

    def _with_wavelength(self, fit: Fit) -> Fit:
        """Fit the wavelength too, for its own sake or to learn whether the rings contradict it."""
        if self.refine_wavelength:
            return self._fit(fit.plane, free=True) or fit
        return (
            fit_points(fit.points, fit.plane, self.spacings, self.wavelength, free_wavelength=True)
            or fit
        )

    def _scatter(self, fit: Fit, ridges: Ridges) -> str:
        """Object to control points that are too few, or off, or leave too much open."""
        off = fit.misfit / fit.points.pixel
        seen = np.unique(fit.points.ring)
        if len(seen) < _FEW_RINGS:
            return f"Only {len(seen)} rings are clear; at least {_FEW_RINGS} are needed."
        if (rms := float(np.sqrt(np.mean(off**2)))) > _MISFIT:
            return f"The rings are off by {rms:.1f} pixels from where {self.calibrant} has them."
        eighth = np.floor((fit.points.azimuth + np.pi) / (np.pi / 4)).astype(int) % 8
        for part in range(8):
            here = off[eighth == part]
            if len(here) >= 10 and abs(float(here.mean())) > _SECTOR:
                return (
                    f"Towards {45 * part - 157.5:.0f} degrees of azimuth the rings are off by "
                    f"{here.mean():.1f} pixels: the detector is not flat, or the fit is wrong."
                )
        doubt = fit.doubt(ridges.anywhere1, ridges.anywhere2) * fit.plane.distance
        if (worst := float(doubt.max()) / max(self.pixel)) > _DOUBT:
            return (
                f"The rings leave open by {worst:.1f} pixels where others would lie: too little of "
                f"them is on the detector."
            )
        return ""

    def _unexplained(self, evidence: Evidence) -> str:
        """Object to peaks without a ring and rings without a peak."""
        seen, missed = int(evidence.seen.sum()), int(evidence.missed.sum())
        if seen < _FEW_RINGS:
            return f"Only {seen} rings are clear; at least {_FEW_RINGS} are needed."
        part = evidence.explained / max(evidence.peaks, 1)
        strangers = evidence.peaks - evidence.explained
        if strangers > 1 and min(part, evidence.explained_intensity) < _EXPLAINED:
            return (
                f"{strangers} of {evidence.peaks} peaks of the pattern are not "
                f"of {self.calibrant}: it may be another calibrant or wavelength."
            )
        if missed > _MISSED * (seen + missed):
            return (
                f"{missed} of {seen + missed} rings that {self.calibrant} should have are missing: "
                f"it may be another calibrant or wavelength."
            )
        return ""

    def _ambiguous(self, fit: Fit, matches: list[Match], ridges: Ridges, rings: F) -> str:
        """Object if another plane explains the ridges nearly as well."""
        best = fit_ridges(ridges, Match(fit.plane, 0.0), rings)
        others = matches + self._at_distances(ridges, [fit.plane], rings)
        second = max(
            (match for match in others if not _same(match.plane, best.plane, ridges)),
            key=lambda match: match.score,
            default=None,
        )
        if second is None:
            return ""
        margin = best.score - second.score
        if margin < _MARGIN or margin * len(ridges.x1) / _PIECE < _EVIDENCE:
            return (
                f"The rings fit a distance of {fit.plane.distance:.4f} m and one of "
                f"{second.plane.distance:.4f} m, with another tilt, nearly as well: more of them "
                f"are needed."
            )
        return ""

    def _wavelength_off(self, fit: Fit, free: Fit) -> str:
        """Object if the rings' spacing contradicts the wavelength, or else distance the start's."""
        if len(free.covariance) < 6:
            return ""
        error = float(np.sqrt(free.covariance[5, 5]))
        off = abs(free.wavelength - self.wavelength)
        contradicts = _ring_misfit(fit) > _RING and off > max(5 * error, 0.005 * self.wavelength)
        if contradicts and not self.refine_wavelength:
            return (
                f"The rings are spaced as at {free.wavelength:.4f} ± {error:.4f} Å, not at "
                f"{self.wavelength:.4f} Å: the wavelength or the calibrant is another one."
            )
        if self.start is not None and _wavelength_error(free) > _TELLS * self.wavelength:
            given = _plane(self.start).distance
            if abs(fit.plane.distance / given - 1) > _FAR:
                return (
                    f"The rings lead to {fit.plane.distance:.3f} m, not {given:.3f} m as given. At "
                    f"these angles a wrong wavelength or calibrant looks like another distance: "
                    f"check all three."
                )
        return ""

    def _result(self, fit: Fit, free: Fit, objection: str) -> Calibration:
        names = ("centre1", "centre2", "distance", "rot1", "rot2")
        error = np.sqrt(np.diag(fit.covariance))
        sigma = {name: float(value) for name, value in zip(names, error, strict=False)}
        if len(free.covariance) == 6:
            sigma["wavelength"] = _wavelength_error(free)
        residual = float(np.sqrt(np.mean(fit.misfit**2)))
        reason = objection or self._praise(fit, residual, sigma)
        rings = _rings(fit, self.spacings)
        geometry = self._geometry(fit)
        return Calibration(geometry, rings, residual, sigma, not objection, reason, self.calibrant)

    def _praise(self, fit: Fit, residual: float, sigma: dict[str, float]) -> str:
        count = len(np.unique(fit.points.ring))
        pixels = float(np.sqrt(np.mean((fit.misfit / fit.points.pixel) ** 2)))
        text = (
            f"{count} rings of {self.calibrant} fit to {pixels:.2f} pixels "
            f"({np.rad2deg(residual):.4f} degrees) at {len(fit.points.ring)} points."
        )
        if sigma.get("wavelength", np.inf) > _TELLS * self.wavelength:
            text += (
                " The wavelength is as given: at these angles it cannot be told from the distance."
            )
        return text

    def _geometry(self, fit: Fit) -> Geometry:
        distance, poni1, poni2 = fit.plane.poni()
        rot3 = self.start.rot3 if self.start else 0.0  # rings say nothing of it
        return Geometry(
            distance,
            poni1,
            poni2,
            fit.plane.rot1,
            fit.plane.rot2,
            rot3,
            *self.pixel,
            fit.wavelength,
            None,
            3,
            self.start.detector if self.start else "",
        )

    def _refused(self, reason: str) -> Calibration:
        return Calibration(None, (), float("nan"), {}, False, reason, self.calibrant)


def _plane(geometry: Geometry) -> Plane:
    return Plane.from_poni(
        geometry.distance, geometry.poni1, geometry.poni2, geometry.rot1, geometry.rot2
    )


def _same(one: Plane, other: Plane, ridges: Ridges) -> bool:
    """Tell whether two planes give the same angles all over the detector."""
    at = ridges.anywhere1, ridges.anywhere2
    off = np.abs(one.two_theta(*at) - other.two_theta(*at)) * max(one.distance, other.distance)
    return bool(off.max() < _SAME * ridges.step)


def _rings(fit: Fit, spacings: F) -> tuple[Ring, ...]:
    angles = ring_angles(spacings, fit.wavelength)
    return tuple(
        Ring(float(spacings[i]), float(angles[i]), int(here.sum()), float(fit.misfit[here].mean()))
        for i in np.unique(fit.points.ring)
        if (here := fit.points.ring == i).any()
    )


def _wavelength_error(free: Fit) -> float:
    """Return 1 sigma of a fitted wavelength (A), if rings are no better known than `_RING`."""
    pixels = float(np.sqrt(np.mean((free.misfit / free.points.pixel) ** 2)))
    counted = pixels / np.sqrt(len(free.misfit) / len(np.unique(free.points.ring)))
    return float(np.sqrt(free.covariance[5, 5])) * max(1.0, _RING / max(counted, 1e-6))


def _ring_misfit(fit: Fit) -> float:
    """Return the root mean square over the rings of their mean misfit, in pixels."""
    number = np.bincount(fit.points.ring)
    total = np.bincount(fit.points.ring, fit.misfit / fit.points.pixel)
    used = number > 0
    return float(np.sqrt(np.average((total[used] / number[used]) ** 2, weights=number[used])))
