"""The pictures of a calibration: the image with its rings, and how far off each ring is."""

import numpy as np

from flows.pdf.calibration.types import Result
from flows.reduction import Reduction
from tasks.pdf.ring_pictures import draw_residuals, draw_rings

PNG = "image/png"


def draw(run: Reduction, result: Result) -> list[str]:
    """Draw all pictures of a run into its folder; return their names, the most telling first."""
    found, opened = result.calibration, result.opened
    at = f"{1e3 * result.geometry.distance:.2f} mm, {result.geometry.wavelength:.5f} Å"
    draw_rings(
        run.output("rings.png", "preview", PNG),
        np.asarray(opened.image, np.float64),
        opened.mask,
        result.two_theta,
        np.array([ring.two_theta for ring in found.rings]),
        f"{run.claim.dataset_name}   {opened.calibrant}, {at}",
    )
    draw_residuals(
        run.output("residuals.png", "preview", PNG),
        np.array([ring.two_theta for ring in found.rings]),
        np.array([ring.misfit for ring in found.rings]),
        np.array([ring.points for ring in found.rings]),
        found.residual_rad,
        f"{run.claim.dataset_name}   residual of {len(found.rings)} rings of {opened.calibrant}",
    )
    return ["rings.png", "residuals.png"]
