"""What a calibrant's image says of its detector: a geometry, and what speaks for it."""

from dataclasses import dataclass

from tasks.errors import DataError
from tasks.pdf.geometry import Geometry


@dataclass(frozen=True)
class Ring:
    """
    One ring of the calibrant on the detector.

    Attributes
    ----------
    d
        A.
    two_theta
        rad, where it should be.
    points
        Control points on it.
    misfit
        rad, mean over them of where it is less where it should be.
    """

    d: float
    two_theta: float
    points: int
    misfit: float


@dataclass(frozen=True)
class Calibration:
    """
    A geometry and what speaks for it.

    Attributes
    ----------
    geometry
        The best that was found; None if there were no rings to start from. Not to be used unless
        accepted: see `trusted`.
    rings
        Those with control points, from the innermost.
    residual_rad
        Root mean square misfit of the control points; NaN if there are none.
    sigma
        1 sigma of ``distance`` (m), ``centre1``, ``centre2`` (m), ``rot1``, ``rot2`` (rad) and, as
        if it were fitted too, ``wavelength`` (A).
    accepted
        Whether the rings bear the geometry out.
    reason
        A sentence: what fits, or what does not.
    calibrant
        Its name.
    """

    geometry: Geometry | None
    rings: tuple[Ring, ...]
    residual_rad: float
    sigma: dict[str, float]
    accepted: bool
    reason: str
    calibrant: str

    def trusted(self) -> Geometry:
        """
        Return the geometry.

        Raises
        ------
        DataError
            If it was not accepted.
        """
        if not self.accepted or self.geometry is None:
            raise DataError(self.reason)
        return self.geometry
