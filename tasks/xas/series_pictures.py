"""Pictures of a series that was explained without standards: resolved components, and groups."""

from pathlib import Path

import numpy as np

from tasks.arrays import Host
from tasks.figures import (
    colours,
    draw_legend,
    label_axes,
    new_figure,
    save_png,
    set_title,
)

_THIN = 1.2
_GRID = {"left": 0.08, "right": 0.98, "top": 0.88, "bottom": 0.12, "wspace": 0.2}


def draw_resolved(
    path: Path,
    energy: Host,
    spectra: Host,
    position: Host,
    fractions: Host,
    between: Host,
    *,
    across: str,
    title: str,
) -> Path:
    """
    Draw the components that a series was resolved into, and how much of each there is.

    Parameters
    ----------
    path
        PNG file to write.
    energy, spectra
        Grid in eV (points,), and the components, (components, points).
    position
        Number or time of the scans, (scans,).
    fractions
        (scans, components).
    between
        Least and most fractions of solutions that fit as well, (2, scans, components).
    across
        Name and unit of `position`.
    title
        Name of the series.
    """
    figure = new_figure(9.2, 4.6)
    left, right = figure.subplots(1, 2, gridspec_kw=_GRID)
    for number, colour in enumerate(colours(len(spectra))):
        name = f"component {number + 1}"
        left.plot(energy, spectra[number], color=colour, linewidth=_THIN, label=name)
        right.fill_between(position, *between[:, :, number], color=colour, alpha=0.15, lw=0)
        right.plot(position, fractions[:, number], color=colour, linewidth=_THIN)
    label_axes(left, "energy (eV)", "normalised absorption")
    draw_legend(left)
    right.set_ylim(-0.04, 1.04)
    label_axes(right, across, "fraction (band: all that fits as well)")
    set_title(figure, title)
    return save_png(figure, path)


def draw_groups(
    path: Path,
    energy: Host,
    centres: Host,
    position: Host,
    labels: Host,
    *,
    across: str,
    title: str,
) -> Path:
    """
    Draw the mean spectra of groups, and which group each scan belongs to.

    Parameters
    ----------
    path
        PNG file to write.
    energy, centres
        Grid in eV (points,), and the mean of each group, (groups, points).
    position
        Number or time of the scans, (scans,).
    labels
        Group of each scan, from 0, (scans,).
    across
        Name and unit of `position`.
    title
        Name of the series.
    """
    figure = new_figure(9.2, 4.6)
    left, right = figure.subplots(1, 2, gridspec_kw=_GRID)
    for number, colour in enumerate(colours(len(centres))):
        mine = labels == number
        name = f"group {number + 1} ({np.count_nonzero(mine)})"
        left.plot(energy, centres[number], color=colour, linewidth=_THIN, label=name)
        right.plot(position[mine], labels[mine] + 1, "o", color=colour, markersize=3.5)
    label_axes(left, "energy (eV)", "normalised absorption")
    draw_legend(left)
    right.set_yticks(np.arange(1, len(centres) + 1))
    label_axes(right, across, "group")
    set_title(figure, title)
    return save_png(figure, path)
