"""The strip chart of a sweep: what each image tells, growing while the sweep is measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tasks.figures import COLOURS, INK, label_axes, new_figure, save_png, set_title
from tasks.io.diffraction import F
from tasks.mx.image_figures import ImageFigures

_LINE = 0.9
_MANY = 150  # images: above, points would hide the line


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
    figure.subplots_adjust(left=0.09, right=0.98, top=0.92, bottom=0.08, hspace=0.18)
    number = figures.image + 1.0
    _strip(rows[0], number, figures.spots.astype(float), COLOURS[0], "spots")
    _strip(rows[1], number, figures.resolution, COLOURS[2], "resolution (Å)")
    rows[1].invert_yaxis()
    _strip(rows[2], number, 100 * figures.ice, COLOURS[5], "ice (%)")
    _strip(rows[3], number, figures.background, COLOURS[8], "background")
    for axes in rows[[0, 2, 3]]:
        axes.set_ylim(bottom=0)
    for axes in rows[:-1]:
        axes.set_xlabel("")
    rows[0].set_xlim(0.5, images + 0.5)
    set_title(figure, f"{title}   {len(figures)} of {images} images")
    return save_png(figure, path)


def _strip(axes: Any, number: F, values: F, colour: str, name: str) -> None:
    marker = "." if len(number) <= _MANY else ""
    axes.plot(number, values, color=colour, linewidth=_LINE, marker=marker, markersize=4)
    axes.grid(axis="y", color=INK, alpha=0.1, linewidth=0.5)
    label_axes(axes, "image", name)
