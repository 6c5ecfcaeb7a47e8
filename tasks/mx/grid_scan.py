"""
Grid scans: how well each point of a raster over the sample diffracts, and where it does best.

The score of a point is its number of spots, weighted by the resolution they reach: spots / d. The
best position is the centre of mass of the scores around the best point, down to half of it: where
the crystal is large enough to fill several points, the beam then hits its middle.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.figures import ACCENT, INK, label_axes, label_colours, new_figure, save_png, set_title
from tasks.io.diffraction import F
from tasks.mx.image_figures import ImageFigures

_FEWEST = 5  # spots at a point that diffracts
_HALF = 0.5  # of the best score: the crystal's extent
_POOR = 10.0  # Angstrom, of points with too few spots for a resolution


@dataclass(frozen=True)
class GridScan:
    """
    What a raster shows; rows and columns count from 0, as the sample was moved.

    Attributes
    ----------
    spots
        Per point, (rows, columns); NaN where there is no image (yet).
    resolution
        In Angstrom, (rows, columns); NaN where there are too few spots.
    score
        Spots divided by the resolution, (rows, columns); NaN where there is no image.
    best
        Row and column of the best point; None if nothing diffracts.
    centre
        Row and column of the centre of mass around it, in parts of a step; None likewise.
    extent
        Which points belong to the crystal there, (rows, columns).
    """

    spots: F
    resolution: F
    score: F
    best: tuple[int, int] | None
    centre: tuple[float, float] | None
    extent: NDArray[np.bool_]


def grid_scan(figures: ImageFigures, shape: tuple[int, int], *, snake: bool = False) -> GridScan:
    """
    Arrange the figures of a raster's images and find where the sample diffracts best.

    Parameters
    ----------
    figures
        Of the images that are there, in any order; the first image is row 0, column 0, and a row
        is finished before the next one.
    shape
        Rows and columns.
    snake
        Whether every other row was measured backwards.

    Raises
    ------
    DataError
        There are more images than points.
    """
    rows, columns = shape
    if len(figures) and int(figures.image.max()) >= rows * columns:
        raise DataError(
            f"Image {int(figures.image.max()) + 1} is there, but a grid of {rows} x {columns} "
            f"points has {rows * columns}. Look at the number of rows and columns in the file or "
            "the recipe."
        )
    row, column = np.divmod(figures.image, columns)
    if snake:
        column = np.where(row % 2 == 1, columns - 1 - column, column)
    spots, resolution = np.full(shape, np.nan), np.full(shape, np.nan)
    spots[row, column] = figures.spots
    resolution[row, column] = figures.resolution
    score = spots / np.where(np.isfinite(resolution), resolution, _POOR)
    best, centre, extent = _best(spots, score)
    return GridScan(spots, resolution, score, best, centre, extent)


def _best(
    spots: F, score: F
) -> tuple[tuple[int, int] | None, tuple[float, float] | None, NDArray[np.bool_]]:
    good = np.where(spots >= _FEWEST, score, 0.0)
    if not good.any():
        return None, None, np.zeros(score.shape, dtype=np.bool_)
    row, column = (int(each) for each in np.unravel_index(int(np.argmax(good)), good.shape))
    extent = _connected(good >= _HALF * good[row, column], row, column)
    weight = np.where(extent, good, 0.0)
    places = np.indices(good.shape)
    down, across = ((weight * place).sum() / weight.sum() for place in places)
    return (row, column), (float(down), float(across)), extent


def _connected(there: NDArray[np.bool_], row: int, column: int) -> NDArray[np.bool_]:
    """Return the points connected to one over their sides."""
    found = np.zeros_like(there)
    found[row, column] = True
    while True:
        grown = found.copy()
        grown[1:] |= found[:-1]
        grown[:-1] |= found[1:]
        grown[:, 1:] |= found[:, :-1]
        grown[:, :-1] |= found[:, 1:]
        grown &= there
        if np.array_equal(grown, found):
            return found
        found = grown


def describe(scan: GridScan) -> str:
    """Say in a sentence where to go."""
    if scan.best is None or scan.centre is None:
        there = int(np.isfinite(scan.spots).sum())
        return (
            f"None of {there} points of the grid diffracts: the strongest has "
            f"{int(np.nanmax(scan.spots, initial=0))} spots. Look for the crystal elsewhere."
        )
    row, column = scan.best
    d = scan.resolution[row, column]
    reach = f" to {d:.1f} Å" if np.isfinite(d) else ""
    return (
        f"Best at row {row + 1}, column {column + 1}: {int(scan.spots[row, column])} spots{reach}. "
        f"The crystal there covers {int(scan.extent.sum())} points, its middle is at row "
        f"{scan.centre[0] + 1:.1f}, column {scan.centre[1] + 1:.1f}."
    )


def draw_grid_scan(path: Path, scan: GridScan, title: str = "Grid scan") -> Path:
    """
    Draw the maps of spots and of resolution with the best position.

    Parameters
    ----------
    path
        PNG file to write.
    title
        Name of the scan.
    """
    rows, columns = scan.spots.shape
    height = float(np.clip(4.0 * rows / columns, 1.8, 7.0))
    figure = new_figure(9.2, height + 1.2)
    axes = figure.subplots(1, 2)
    bottom, top = 0.6 / (height + 1.2), 1 - 0.6 / (height + 1.2)
    figure.subplots_adjust(left=0.06, right=0.96, bottom=bottom, top=top, wspace=0.22)
    _map(figure, axes[0], scan, scan.spots, "viridis", "spots")
    _map(figure, axes[1], scan, scan.resolution, "viridis_r", "resolution (Å)")
    where = "nothing diffracts"
    if scan.best is not None:
        where = f"best at row {scan.best[0] + 1}, column {scan.best[1] + 1}"
    set_title(figure, f"{title}   {rows} x {columns} points, {where}")
    return save_png(figure, path)


def _outline(axes: Any, there: NDArray[np.bool_]) -> None:
    """Draw the edge between points that belong to the crystal and others."""
    padded = np.pad(there, 1)
    for row, column in np.argwhere(padded[1:] != padded[:-1]):
        axes.plot([column - 0.5, column + 0.5], [row + 0.5, row + 0.5], color=INK, linewidth=1.0)
    for row, column in np.argwhere(padded[:, 1:] != padded[:, :-1]):
        axes.plot([column + 0.5, column + 0.5], [row - 0.5, row + 0.5], color=INK, linewidth=1.0)


def _map(figure: Any, axes: Any, scan: GridScan, values: F, colours: str, name: str) -> None:
    rows, columns = values.shape
    extent = (0.5, columns + 0.5, rows + 0.5, 0.5)
    axes.set_facecolor("#e9ecef")
    image = axes.imshow(
        np.ma.masked_invalid(values), extent=extent, cmap=colours, aspect="equal",
        interpolation="none",
    )  # fmt: skip
    if scan.best is not None and scan.centre is not None:
        if min(rows, columns) > 1:
            _outline(axes, scan.extent)
        down, across = scan.centre
        axes.plot([across + 1], [down + 1], "+", color=ACCENT, markersize=13, markeredgewidth=2)
    for axis in (axes.xaxis, axes.yaxis):
        axis.get_major_locator().set_params(integer=True)
    label_axes(axes, "column", "row")
    label_colours(figure.colorbar(image, ax=axes, pad=0.02), name)
