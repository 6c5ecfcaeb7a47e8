"""Pictures of a calibration as PNG files: the rings on the image, and how far off each is."""

from pathlib import Path

import numpy as np

from tasks.arrays import Host
from tasks.figures import ACCENT, COLOURS, INK, label_axes, new_figure, save_png, set_title

_MOST_PIXELS = 900  # of an image in each direction: no screen shows more
_LOW, _HIGH = 0.5, 99.7  # percentiles of what counts, between which an image is shown


def draw_rings(
    path: Path, image: Host, mask: Host, two_theta: Host, rings: Host, title: str
) -> Path:
    """
    Draw an image with the rings of a calibrant where a geometry has them.

    Parameters
    ----------
    path
        PNG file to write.
    image
        Counts, (rows, columns).
    mask
        True where a pixel does not count, (rows, columns).
    two_theta
        Scattering angle of each pixel, rad, (rows, columns).
    rings
        Scattering angles of the rings, rad, rising, (rings,).
    title
        Name of the image, calibrant, distance.
    """
    step = -(-max(image.shape) // _MOST_PIXELS)
    shown = np.where(mask, np.nan, image)[::step, ::step]
    figure = new_figure(7.0, 7.0)
    axes = figure.subplots(
        1, 1, gridspec_kw={"left": 0.09, "right": 0.97, "top": 0.92, "bottom": 0.08}
    )
    rows, columns = image.shape
    known = np.sqrt(np.maximum(shown[np.isfinite(shown)], 0))
    low, high = np.percentile(known, (_LOW, _HIGH)) if known.size else (0.0, 1.0)
    axes.imshow(
        np.sqrt(np.maximum(shown, 0)),
        extent=(-0.5, columns - 0.5, rows - 0.5, -0.5),
        cmap="gray",
        vmin=low,
        vmax=max(high, low + 1e-6),
        aspect="equal",
    )
    axes.contour(
        np.arange(0, columns, step, dtype=np.float64),
        np.arange(0, rows, step, dtype=np.float64),
        two_theta[::step, ::step],
        levels=rings,
        colors=ACCENT,
        linewidths=0.6,
    )
    label_axes(axes, "column", "row")
    set_title(figure, title)
    return save_png(figure, path)


def draw_residuals(
    path: Path, rings: Host, misfit: Host, points: Host, residual: float, title: str
) -> Path:
    """
    Draw how far each ring is, on average, from where the geometry has it.

    Parameters
    ----------
    path
        PNG file to write.
    rings
        Scattering angles, rad, (rings,).
    misfit
        Mean over the control points of a ring, rad, (rings,).
    points
        Control points on each, (rings,): the area of its mark.
    residual
        Root mean square over all control points, rad: the band.
    title
        Name of the image, calibrant.
    """
    figure = new_figure(7.6, 3.6)
    axes = figure.subplots(
        1, 1, gridspec_kw={"left": 0.12, "right": 0.97, "top": 0.87, "bottom": 0.15}
    )
    wide = 1e3 * np.rad2deg(residual)
    axes.axhspan(-wide, wide, color=COLOURS[0], alpha=0.08)
    axes.axhline(0, color=INK, linewidth=0.6)
    area = 12 + 60 * np.sqrt(points / max(points.max(), 1))
    across, off = np.rad2deg(rings), 1e3 * np.rad2deg(misfit)
    axes.scatter(across, off, s=area, color=COLOURS[0], edgecolors="none")
    label_axes(axes, "2θ (°)", "off by (0.001°)")
    set_title(figure, title)
    return save_png(figure, path)
