"""The strip chart of a sweep: what each image tells, growing while the sweep is measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tasks.figures import ACCENT, COLOURS, INK, label_axes, new_figure, save_png, set_title
from tasks.io.diffraction import F
from tasks.mx.image_figures import ImageFigures

_LINE = 0.9
_MANY = 150  # images: above, points would hide the line
_ALONE = 0.3  # of the images lack a value: then points show those that stand alone


def draw_strip_chart(
    path: Path, figures: ImageFigures, planned: int | None = None, title: str = "Images"
) -> Path:
    """
    Draw spots, resolution, ice, background and overloads against the image's number.

    Parameters
    ----------
    path
        PNG file to write.
    figures
        Of the images that are there; they may lack some and be in any order.
    planned
        How many images the sweep will have; the axis is as long from the beginning.
    title
        Name of the sweep.
    """
    figures = figures.take(np.argsort(figures.image))
    images = max(planned or 0, int(figures.image.max(initial=0)) + 1)
    figure = new_figure(9.2, 6.2)
    rows = figure.subplots(4, 1, sharex=True)
    figure.subplots_adjust(left=0.085, right=0.985, top=0.93, bottom=0.08, hspace=0.16)
    number = np.asarray(figures.image + 1, dtype=np.float64)
    overloaded = number[figures.overloaded > 0]
    spots = figures.spots.astype(float)
    _strip(rows[0], number, spots, COLOURS[0], "spots", (0, _top(spots, 10)))
    _strip(rows[1], number, figures.resolution, COLOURS[2], "resolution (Å)", _around(figures))
    _strip(
        rows[2], number, 100 * figures.ice, COLOURS[5], "ice (%)", (0, _top(100 * figures.ice, 5))
    )
    level = figures.background
    _strip(rows[3], number, level, COLOURS[8], "background", (0, _top(level, 0.01)))
    rows[0].plot(overloaded, spots[figures.overloaded > 0], ".", color=ACCENT, markersize=6)
    for axes in rows[:-1]:
        axes.set_xlabel("")
    rows[0].set_xlim(0.5, images + 0.5)
    figure.align_ylabels(rows)
    told = f", {len(overloaded)} with overloads (red)" if len(overloaded) else ""
    set_title(figure, f"{title}   {len(figures)} of {images} images{told}")
    return save_png(figure, path)


def _strip(
    axes: Any, number: F, values: F, colour: str, name: str, limits: tuple[float, float]
) -> None:
    """Draw one figure; the line is broken where images lack."""
    gaps = np.flatnonzero(np.diff(number) > 1) + 1
    marker = "." if len(number) <= _MANY or np.isnan(values).mean() > _ALONE else ""
    axes.plot(
        np.insert(number, gaps, np.nan),
        np.insert(values, gaps, np.nan),
        color=colour,
        linewidth=_LINE,
        marker=marker,
        markersize=4,
    )
    axes.set_ylim(*limits)
    axes.yaxis.set_major_locator(_few_ticks())
    axes.grid(axis="y", color=INK, alpha=0.1, linewidth=0.5)
    label_axes(axes, "image", name)


def _few_ticks() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(4)


def _top(values: F, least: float) -> float:
    return 1.08 * max(float(np.nanmax(values)) if np.isfinite(values).any() else 0.0, least)


def _around(figures: ImageFigures) -> tuple[float, float]:
    """Return the limits of the resolution: low above high, at least half an Angstrom apart."""
    known = figures.resolution[np.isfinite(figures.resolution)]
    if not len(known):
        return 5.0, 1.0
    low, high = float(known.max()), float(known.min())
    apart = max(0.55 * (low - high), 0.25)
    middle = (low + high) / 2
    return middle + apart, max(middle - apart, 0.0)
