"""An image of the detector with the spots found, those predicted, and rings of resolution."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.figures import ACCENT, COLOURS, INK, new_figure, save_png, set_title
from tasks.io.diffraction import F, Geometry
from tasks.mx.geometry import beam_centre, rays_to_pixels, resolution

_MOST_PIXELS = 1100  # of the picture in each direction
_GAP = "#dee2e6"
_RINGS = 4


def draw_detector(
    path: Path,
    image: NDArray[np.int32],
    mask: NDArray[np.bool_],
    geometry: Geometry,
    spots: F | None = None,
    predicted: F | None = None,
    rings: tuple[float, ...] | None = None,
    title: str = "Detector",
) -> Path:
    """
    Draw an image, dark where it counts, with circles around spots and squares around predictions.

    Each pixel of the picture shows the brightest of those that it stands for, so that no spot is
    lost. Gaps and masked pixels are grey.

    Parameters
    ----------
    path
        PNG file to write.
    image
        Counts, (rows, columns); negative ones are no pixels.
    mask
        True: left out, (rows, columns).
    spots, predicted
        Fast and slow in pixels, (n, 2).
    rings
        Resolutions to draw, in Angstrom; chosen to fit if None.
    title
        Name of the sweep and the image.
    """
    rows, columns = image.shape
    height = 8.2 * rows / columns
    figure = new_figure(8.4, height + 0.55)
    axes = figure.add_axes((0.012, 0.012, 0.976, height / (height + 0.55)))
    _draw_counts(axes, image, mask | (image < 0))
    _draw_rings(axes, geometry, rings)
    if predicted is not None and len(predicted):
        _mark(axes, predicted, "s", COLOURS[0], 30.0, f"predicted, {len(predicted)}")
    if spots is not None and len(spots):
        _mark(axes, spots, "o", ACCENT, 52.0, f"found, {len(spots)}")
    axes.set(xlim=(0, columns), ylim=(rows, 0), xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(color=INK, linewidth=0.6)
    handles, names = axes.get_legend_handles_labels()
    if handles:
        top = 1 - 0.10 / (height + 0.55)
        figure.legend(
            handles, names, loc="upper right", bbox_to_anchor=(0.99, top), ncols=2, frameon=False,
            fontsize=8, labelcolor=INK, borderaxespad=0, handletextpad=0.3,
        )  # fmt: skip
    set_title(figure, title)
    return save_png(figure, path)


def _draw_counts(axes: Any, image: NDArray[np.int32], left_out: NDArray[np.bool_]) -> None:
    from matplotlib.colors import ListedColormap, Normalize

    rows, columns = image.shape
    step = -(-max(rows, columns) // _MOST_PIXELS)
    counts = np.where(left_out, -1, image)
    shown = _brightest(counts, step)
    gone = -_brightest(-left_out.astype(np.int32), step)  # grey where all of its pixels are
    known = counts[counts >= 0]
    level = float(np.median(known)) if len(known) else 0.0
    top = level + 12 * np.sqrt(level + 1) + 5
    extent = (0, -(-columns // step) * step, -(-rows // step) * step, 0)
    norm = Normalize(0, top)
    axes.imshow(shown, extent=extent, cmap="Greys", norm=norm, aspect="equal", interpolation="none")
    grey = np.ma.masked_less(gone, 1)
    axes.imshow(grey, extent=extent, cmap=ListedColormap([_GAP]), interpolation="none")


def _brightest(values: NDArray[np.int32], step: int) -> NDArray[np.int32]:
    """Return the highest value of each square of so many pixels; the last ones may be cut."""
    rows, columns = values.shape
    padding = ((0, -rows % step), (0, -columns % step))
    whole = np.pad(values, padding, mode="edge")
    return whole.reshape(len(whole) // step, step, -1, step).max(axis=(1, 3))


def _draw_rings(axes: Any, geometry: Geometry, rings: tuple[float, ...] | None) -> None:
    rows, columns = geometry.detector.shape
    for d in _chosen(geometry) if rings is None else rings:
        xy = ring_on_detector(geometry, d)
        axes.plot(*xy.T, color=COLOURS[5], linewidth=0.7, alpha=0.75)
        inside = (xy[:, 0] > 0.03 * columns) & (xy[:, 0] < 0.97 * columns)
        inside &= (xy[:, 1] > 0.03 * rows) & (xy[:, 1] < 0.97 * rows)
        if inside.any():
            x, y = xy[inside][np.argmin(xy[inside, 1])]
            box = {"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 1.0}
            axes.text(
                x, y, f"{d:g} Å", fontsize=7, color=COLOURS[5], ha="center", va="center", bbox=box
            )
    x, y = beam_centre(geometry)
    axes.plot([x], [y], marker="+", color=COLOURS[5], markersize=9, markeredgewidth=1.0)


def ring_on_detector(geometry: Geometry, d: float) -> F:
    """Return where photons of a resolution in Angstrom are counted, (361, 2) in pixels."""
    along = geometry.beam.direction
    sine = geometry.beam.wavelength / (2 * d)
    if sine >= 1:
        return np.full((361, 2), np.nan)
    across = np.cross(along, [1.0, 0, 0] if abs(along[0]) < 0.9 else [0, 1.0, 0])
    across = across / np.linalg.norm(across)
    azimuth, two_theta = np.linspace(0, 2 * np.pi, 361)[:, None], 2 * np.arcsin(sine)
    round_beam = np.cos(azimuth) * across + np.sin(azimuth) * np.cross(along, across)
    return rays_to_pixels(geometry, np.cos(two_theta) * along + np.sin(two_theta) * round_beam)


def _chosen(geometry: Geometry) -> tuple[float, ...]:
    """Choose round resolutions, evenly apart on the detector."""
    rows, columns = geometry.detector.shape
    edge = np.array([[columns / 2, 0], [columns / 2, rows], [0, rows / 2], [columns, rows / 2]])
    finest = float(np.min(resolution(geometry, edge)))
    two_theta = 2 * np.arcsin(np.clip(geometry.beam.wavelength / (2 * finest), 0, 1))
    angles = np.arctan(np.tan(min(two_theta, 1.4)) * np.arange(1, _RINGS + 1) / (_RINGS + 0.15))
    found = geometry.beam.wavelength / (2 * np.sin(angles / 2))
    return tuple(float(f"{each:.2g}") for each in found)


def _mark(axes: Any, xy: F, marker: str, colour: str, size: float, name: str) -> None:
    axes.scatter(
        *xy.T,
        s=size,
        marker=marker,
        facecolors="none",
        edgecolors=colour,
        linewidths=0.8,
        label=name,
    )
