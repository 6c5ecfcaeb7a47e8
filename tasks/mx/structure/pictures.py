"""Pictures of a refinement: R factors by cycle, what space groups gained, density around blobs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tasks.figures import ACCENT, COLOURS, INK, draw_legend, label_axes, new_figure
from tasks.io.diffraction import F
from tasks.mx.structure.result import Blob, Candidate, Cycle

_HALF = 9.0  # Angstrom from the blob to the edge of its picture
_STEP = 0.25  # Angstrom between the points of a section
_SLAB = 3.0  # Angstrom before and behind the section in which atoms are drawn
_BOND = 1.95  # Angstrom: nearer atoms of one or two following residues are bonded
_BEST, _ABOVE, _BELOW = "#1864ab", "#2b8a3e", "#c92a2a"
_ELEMENTS = {"C": "#8a6d1d", "N": "#1c3fb7", "O": "#c2255c", "S": "#b59b00", "P": "#d9480f"}


def draw_cycles(path: Path, cycles: Sequence[Cycle]) -> None:
    """Draw R and Rfree against the cycle."""
    figure = new_figure(5.2, 3.2)
    axes = figure.add_subplot()
    numbers = np.arange(len(cycles))
    for name, values, colour in (
        ("R", [each.r_work for each in cycles], COLOURS[0]),
        ("R free", [each.r_free for each in cycles], ACCENT),
    ):
        axes.plot(numbers, values, "o-", color=colour, markersize=3.5, linewidth=1.2, label=name)
        axes.annotate(
            f"{values[-1]:.3f}",
            (numbers[-1], values[-1]),
            (6, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=colour,
        )
    axes.set_xlim(-0.3, len(cycles) + 0.6)
    axes.margins(y=0.15)
    label_axes(axes, "cycle of refinement", "R factor")
    draw_legend(axes)
    figure.savefig(path, bbox_inches="tight")


def draw_candidates(path: Path, candidates: Sequence[Candidate]) -> None:
    """Draw the log-likelihood gain of each space group and indexing, the chosen one first."""
    shown = candidates[:10]
    figure = new_figure(5.2, 0.9 + 0.32 * len(shown))
    axes = figure.add_subplot()
    rows = np.arange(len(shown))
    colours = [ACCENT, *([COLOURS[8]] * (len(shown) - 1))]
    axes.barh(rows, [max(each.llg, 0.0) for each in shown], 0.6, color=colours)
    for row, each in enumerate(shown):
        text = f" {each.llg:.0f}, CC {each.cc:.2f}"
        axes.text(max(each.llg, 0.0), row, text, va="center", fontsize=8, color=INK)
    axes.set_yticks(rows, [_called(each) for each in shown])
    axes.invert_yaxis()
    axes.margins(x=0.25)
    label_axes(axes, "log-likelihood gain", "")
    figure.savefig(path, bbox_inches="tight")


def draw_blob(path: Path, blob: Blob, number: int, best: Any, difference: Any, model: Any) -> None:
    """
    Draw a section through a blob, along its two longest axes, with the atoms nearby.

    Parameters
    ----------
    path
        PNG.
    blob
        In the middle of the picture.
    number
        Its rank, from 1.
    best, difference
        2Fo-Fc and Fo-Fc maps, ``gemmi.FloatGrid``.
    model
        ``gemmi.Structure``.
    """
    centre = np.array(blob.position)
    across, down, ahead = _axes(difference, centre)
    line = np.arange(-_HALF, _HALF + _STEP / 2, _STEP)
    points = centre + line[:, None, None] * down + line[None, :, None] * across
    figure = new_figure(4.6, 4.6)
    axes = figure.add_subplot()
    _contours(axes, line, _section(best, points), float(np.std(best.array)), (1.0, 2.0, 3.5))
    sigma = float(np.std(difference.array))
    section = _section(difference, points)
    axes.contourf(line, line, section, [3 * sigma, np.inf], colors=[_ABOVE], alpha=0.18)
    for sign, colour in ((1, _ABOVE), (-1, _BELOW)):
        levels = np.array([3.0, 4.5, 6.0]) * sigma
        if (sign * section).max() > levels[0]:
            axes.contour(line, line, sign * section, levels, colors=colour, linewidths=0.9)
    _sticks(axes, model, centre, across, down, ahead)
    axes.plot(0, 0, "+", color=INK, markersize=9)
    axes.set(xlim=(-_HALF, _HALF), ylim=(-_HALF, _HALF), aspect="equal")
    axes.set_title(
        f"{number}: {blob.electrons:.1f} e, peak {blob.peak:.1f} sigma, "
        f"{blob.distance:.1f} Å from {blob.nearest}",
        fontsize=9,
        color=INK,
    )
    label_axes(axes, "Å", "Å")
    figure.savefig(path, bbox_inches="tight")


def _called(each: Candidate) -> str:
    return each.space_group if each.reindex == "h,k,l" else f"{each.space_group} ({each.reindex})"


def _contours(axes: Any, line: F, section: F, sigma: float, levels: Sequence[float]) -> None:
    heights = np.array(levels) * sigma
    if section.max() > heights[0]:
        axes.contour(line, line, section, heights, colors=_BEST, linewidths=0.5, alpha=0.8)


def _section(grid: Any, points: F) -> F:
    """Interpolate a map at points (m, n, 3), (m, n)."""
    import gemmi

    values = [
        grid.interpolate_value(gemmi.Position(*point)) for point in points.reshape(-1, 3).tolist()
    ]
    return np.array(values).reshape(points.shape[:2])


def _axes(difference: Any, centre: F) -> tuple[F, F, F]:
    """Return the principal axes of the difference density nearby, the longest first."""
    line = np.arange(-3.5, 3.6, 0.5)
    away = np.stack(np.meshgrid(line, line, line, indexing="ij"), axis=-1).reshape(-1, 3)
    away = away[np.linalg.norm(away, axis=1) < 3.5]
    density = _section(difference, (centre + away)[None])[0]
    weight = np.clip(density - 2 * float(np.std(difference.array)), 0, None)
    _, vectors = np.linalg.eigh((away * weight[:, None]).T @ away)
    return vectors[:, 2], vectors[:, 1], vectors[:, 0]


def _sticks(axes: Any, model: Any, centre: F, across: F, down: F, ahead: F) -> None:
    """Draw bonds and atoms near the section, those of neighbouring molecules as well."""
    import gemmi

    search: Any = gemmi.NeighborSearch(model[0], model.cell, 1.5 * _HALF).populate(include_h=False)
    here = gemmi.Position(*centre)
    marks = search.find_atoms(here, "\0", radius=1.5 * _HALF)
    beside = [model.cell.find_nearest_pbc_position(here, mark.pos, 0) for mark in marks]
    positions = np.array([each.tolist() for each in beside], dtype=np.float64).reshape(-1, 3)
    away = positions - centre
    near = np.abs(away @ ahead) <= _SLAB
    positions, away = positions[near], away[near]
    names = [mark.element.name for mark, kept in zip(marks, near, strict=True) if kept]
    flat = np.column_stack([away @ across, away @ down])
    depth = 1 - 0.75 * np.abs(away @ ahead) / _SLAB
    apart = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    for i, j in zip(*np.nonzero(np.triu(apart < _BOND, 1)), strict=True):
        middle = (flat[i] + flat[j]) / 2
        for end in (i, j):
            ends = np.array([flat[end], middle])
            colour = _ELEMENTS.get(names[end], INK)
            axes.plot(*ends.T, color=colour, linewidth=2.2, alpha=float(depth[end]))
    for at, name, shade in zip(flat, names, depth, strict=True):
        axes.plot(*at, "o", color=_ELEMENTS.get(name, INK), markersize=3, alpha=float(shade))
