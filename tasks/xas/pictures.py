"""Pictures of an XAS reduction as PNG files: spectrum, EXAFS, sweeps, composition, match."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tasks.arrays import Host
from tasks.figures import (
    ACCENT,
    COLOURS,
    INK,
    colours,
    draw_legend,
    label_axes,
    label_colours,
    new_figure,
    save_png,
    set_title,
)

_GREY = "#868e96"
_THIN, _THICK = 0.8, 1.4
_MOST_ROWS = 1200  # of a heat map: more are averaged, no screen shows them


@dataclass(frozen=True)
class Curves:
    """
    A spectrum and its normalisation, on one energy grid.

    Attributes
    ----------
    energy
        In eV, (points,).
    mu, sigma
        Absorption and its standard uncertainty, (points,).
    pre_edge, post_edge, norm, flat
        As `tasks.xas.normalise` returns them, (points,).
    e0, edge_step
        Edge energy in eV, and edge step.
    matched
        The spectrum normalised by the tables, (points,), if it was.
    """

    energy: Host
    mu: Host
    sigma: Host
    pre_edge: Host
    post_edge: Host
    norm: Host
    flat: Host
    e0: float
    edge_step: float
    matched: Host | None = None


def draw_spectrum(path: Path, curves: Curves, title: str) -> Path:
    """Draw absorption with its two backgrounds, the normalised spectrum, and its derivative."""
    figure = new_figure(9.2, 6.4)
    left, right, below = figure.subplot_mosaic(
        [["mu", "edge"], ["mu", "derivative"]],
        gridspec_kw={"left": 0.08, "right": 0.98, "top": 0.91, "bottom": 0.09, "wspace": 0.22},
    ).values()
    _draw_absorption(left, curves)
    near = np.abs(curves.energy - curves.e0 - 30) < 80
    _draw_edge(right, curves, near)
    slope = np.gradient(curves.norm, curves.energy)
    below.plot(curves.energy[near], slope[near], color=COLOURS[0], linewidth=_THICK)
    below.axvline(curves.e0, color=ACCENT, linewidth=_THIN, linestyle=(0, (6, 4)))
    label_axes(below, "energy (eV)", "derivative (1/eV)")
    set_title(figure, f"{title}   e0 {curves.e0:.2f} eV, edge step {curves.edge_step:.4g}")
    return save_png(figure, path)


def _draw_absorption(axes: Any, curves: Curves) -> None:
    energy = curves.energy
    band = 2 * curves.sigma
    axes.fill_between(energy, curves.mu - band, curves.mu + band, color=COLOURS[0], alpha=0.25)
    axes.plot(energy, curves.mu, color=COLOURS[0], linewidth=_THICK, label="absorption")
    axes.plot(energy, curves.pre_edge, color=COLOURS[2], linewidth=_THIN, label="pre-edge line")
    above = energy >= curves.e0
    post = curves.post_edge[above]
    axes.plot(energy[above], post, color=COLOURS[3], linewidth=_THIN, label="post-edge curve")
    _frame(axes, curves.mu)
    label_axes(axes, "energy (eV)", "absorption")
    draw_legend(axes)


def _draw_edge(axes: Any, curves: Curves, near: Host) -> None:
    energy = curves.energy[near]
    axes.plot(energy, curves.norm[near], color=COLOURS[0], linewidth=_THICK, label="normalised")
    axes.plot(energy, curves.flat[near], color=_GREY, linewidth=_THIN, label="flattened")
    if curves.matched is not None:
        axes.plot(
            energy, curves.matched[near], color=COLOURS[1], linewidth=_THIN, label="by tables"
        )
    axes.axvline(curves.e0, color=ACCENT, linewidth=_THIN, linestyle=(0, (6, 4)))
    label_axes(axes, "energy (eV)", "normalised absorption")
    draw_legend(axes)


def draw_exafs(
    path: Path,
    k: Host,
    chi: Host,
    r: Host,
    chi_r: Host,
    *,
    kweight: int,
    k_range: tuple[float, float],
    title: str,
) -> Path:
    """Draw k-weighted chi(k) with the range that was transformed, and the magnitude of chi(R)."""
    figure = new_figure(9.2, 4.2)
    left, right = figure.subplots(
        1, 2, gridspec_kw={"left": 0.08, "right": 0.98, "top": 0.88, "bottom": 0.13, "wspace": 0.24}
    )
    left.axvspan(*k_range, color=COLOURS[0], alpha=0.08)
    left.axhline(0, color=_GREY, linewidth=0.5)
    left.plot(k, chi * k**kweight, color=COLOURS[0], linewidth=_THICK)
    power = {0: "", 1: "k ", 2: "k² ", 3: "k³ "}[kweight]
    label_axes(left, "k (1/Å)", f"{power}χ(k)")
    shown = r <= 6
    right.plot(r[shown], np.abs(chi_r)[shown], color=COLOURS[0], linewidth=_THICK)
    label_axes(right, "R (Å), not corrected for phase", "|χ(R)|")
    set_title(figure, title)
    return save_png(figure, path)


def draw_sweeps(
    path: Path,
    energy: Host,
    spectra: Host,
    e0: float,
    left_out: Sequence[int],
    title: str,
    *,
    what: str = "sweep",
    position: Host | None = None,
    down: str = "",
) -> Path:
    """
    Draw all sweeps as a heat map, and some of them as curves; those left out are marked.

    Parameters
    ----------
    path
        PNG file to write.
    energy
        In eV, (points,).
    spectra
        Normalised absorption, (sweeps, points); NaN rows where there is none.
    e0
        Edge energy in eV.
    left_out
        Sweeps that were rejected.
    title
        Name of the scan.
    what
        What one of the spectra is: a sweep, or a scan of a series.
    position
        Where each lies on the map, (sweeps,), not falling; their numbers when left out.
    down
        Name and unit of `position`.
    """
    figure = new_figure(9.2, 5.2)
    grid = {"left": 0.08, "right": 0.98, "top": 0.9, "bottom": 0.1, "wspace": 0.2}
    left, right = figure.subplots(1, 2, gridspec_kw={**grid, "width_ratios": [1.25, 1]})
    near = np.abs(energy - e0 - 40) < 90
    count = len(spectra)
    rows = _thinned(spectra[:, near])
    places = np.arange(float(count)) if position is None else position
    low, high = np.nanquantile(rows, (0.005, 0.995))
    image = left.pcolormesh(
        energy[near],
        _thinned(places[:, None])[:, 0],
        rows,
        cmap="viridis",
        shading="nearest",
        vmin=low,
        vmax=high,
    )
    for sweep in left_out:
        left.plot(
            energy[near][0], places[sweep], marker=">", color=ACCENT, markersize=4, clip_on=False
        )
    label_axes(left, "energy (eV)", down or what)
    label_colours(figure.colorbar(image, ax=left, pad=0.02), "normalised absorption")
    _draw_some(right, energy[near], spectra[:, near], np.asarray(left_out, np.int64), what)
    label_axes(right, "energy (eV)", "normalised absorption")
    told = f", {len(left_out)} left out" if len(left_out) else ""
    set_title(figure, f"{title}   {count} {what}s{told}")
    return save_png(figure, path)


def _draw_some(axes: Any, energy: Host, spectra: Host, left_out: Host, what: str) -> None:
    from matplotlib import colormaps

    kept = np.setdiff1d(np.arange(len(spectra)), left_out)
    some = kept[np.unique(np.linspace(0, len(kept) - 1, 12).astype(int))] if len(kept) else kept
    shades = colormaps["viridis"](np.linspace(0, 0.9, max(len(some), 1)))
    for sweep, colour in zip(some, shades, strict=False):
        axes.plot(energy, spectra[sweep], color=colour, linewidth=_THIN, label=f"{what} {sweep}")
    if len(some):
        draw_legend(axes, every=max(1, len(some) // 4))


def _thinned(rows: Host) -> Host:
    """Average neighbouring rows where there are more than can be seen."""
    step = -(-len(rows) // _MOST_ROWS)
    if step == 1:
        return rows
    starts = np.arange(0, len(rows), step)
    known = np.isfinite(rows)
    sums = np.add.reduceat(np.where(known, rows, 0.0), starts, axis=0)
    counts = np.add.reduceat(known.astype(float), starts, axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return sums / counts


def draw_combination(
    path: Path,
    energy: Host,
    data: Host,
    parts: Mapping[str, Host],
    *,
    on: str,
    title: str,
) -> Path:
    """
    Draw a spectrum with its linear combination, the weighted standards, and the residual.

    Parameters
    ----------
    path
        PNG file to write.
    energy, data
        Grid in eV and what was fitted, (points,).
    parts
        Standards times their fractions by name, (points,) each.
    on
        What was fitted: norm, flat or derivative.
    title
        Name of the scan, and the fractions.
    """
    figure = new_figure(9.2, 5.2)
    grid = {"left": 0.08, "right": 0.98, "top": 0.9, "bottom": 0.1, "hspace": 0.08}
    above, below = figure.subplots(
        2, 1, sharex=True, gridspec_kw={**grid, "height_ratios": [3.2, 1]}
    )
    fit = np.sum(list(parts.values()), axis=0)
    above.plot(energy, data, color=INK, linewidth=2.4, alpha=0.35, label="data")
    above.plot(energy, fit, color=ACCENT, linewidth=_THICK, label="linear combination")
    for (name, part), colour in zip(parts.items(), colours(len(parts)), strict=True):
        above.plot(energy, part, color=colour, linewidth=_THIN, label=name)
    label_axes(above, "", {"derivative": "derivative (1/eV)"}.get(on, f"{on} absorption"))
    draw_legend(above)
    below.axhline(0, color=_GREY, linewidth=0.5)
    below.plot(energy, data - fit, color=COLOURS[0], linewidth=_THIN)
    label_axes(below, "energy (eV)", "residual")
    set_title(figure, title)
    return save_png(figure, path)


def draw_composition(
    path: Path,
    position: Host,
    fractions: Mapping[str, tuple[Host, Host]],
    r_factor: Host,
    *,
    across: str,
    title: str,
) -> Path:
    """
    Draw the fraction of each standard against time or sweep, with 95 % bands, and the R factor.

    Parameters
    ----------
    path
        PNG file to write.
    position
        Sweep number or time, (spectra,).
    fractions
        Fraction and its standard uncertainty by standard, (spectra,) each.
    r_factor
        Of the fits, (spectra,).
    across
        Name and unit of `position`.
    title
        Name of the scan or series.
    """
    figure = new_figure(9.2, 5.4)
    grid = {"left": 0.08, "right": 0.98, "top": 0.9, "bottom": 0.1, "hspace": 0.08}
    above, below = figure.subplots(
        2, 1, sharex=True, gridspec_kw={**grid, "height_ratios": [3.2, 1]}
    )
    marker = "o" if len(position) <= 60 else ""
    for (name, (value, sigma)), colour in zip(
        fractions.items(), colours(len(fractions)), strict=True
    ):
        band = 1.96 * sigma
        above.fill_between(position, value - band, value + band, color=colour, alpha=0.2, lw=0)
        above.plot(
            position, value, color=colour, lw=_THICK, marker=marker, markersize=3.5, label=name
        )
    above.set_ylim(-0.06, max(1.06, above.get_ylim()[1] if not len(position) else 1.06))
    label_axes(above, "", "fraction (band: 95 %)")
    draw_legend(above)
    below.plot(position, r_factor, color=_GREY, linewidth=_THIN, marker=marker, markersize=2.5)
    below.set_ylim(bottom=0)
    below.yaxis.set_major_formatter("{x:.1g}")
    label_axes(below, across, "R factor")
    set_title(figure, title)
    return save_png(figure, path)


def draw_components(
    path: Path,
    energy: Host,
    loadings: Host,
    scores: Host,
    levels: Mapping[str, Host],
    *,
    count: int,
    title: str,
) -> Path:
    """
    Draw the principal components that count, their scores, and what says how many there are.

    Parameters
    ----------
    path
        PNG file to write.
    energy, loadings
        Grid in eV (points,), and components (components, points).
    scores
        Of the spectra, (spectra, components).
    levels
        Indicators by name, one value for each number of components, drawn on a log scale.
    count
        How many components are proposed.
    title
        Name of the scan or series.
    """
    figure = new_figure(9.2, 3.8)
    grid = {"left": 0.07, "right": 0.98, "top": 0.86, "bottom": 0.15, "wspace": 0.3}
    left, middle, right = figure.subplots(1, 3, gridspec_kw=grid)
    for number in range(min(count, len(loadings))):
        colour, name = COLOURS[number % len(COLOURS)], f"component {number + 1}"
        left.plot(energy, loadings[number], color=colour, linewidth=_THIN, label=name)
        middle.plot(scores[:, number], color=colour, linewidth=_THIN)
    label_axes(left, "energy (eV)", "loading")
    draw_legend(left)
    label_axes(middle, "spectrum", "score")
    for (name, level), colour in zip(levels.items(), COLOURS, strict=False):
        shown = level[:12]
        right.semilogy(
            np.arange(1, len(shown) + 1), shown, "o-", color=colour, ms=3, lw=_THIN, label=name
        )
    right.axvline(count, color=ACCENT, linewidth=_THIN, linestyle=(0, (6, 4)))
    label_axes(right, "components", "indicator")
    draw_legend(right)
    set_title(figure, title)
    return save_png(figure, path)


def draw_match(
    path: Path, energy: Host, data: Host, candidates: Mapping[str, Host], *, title: str
) -> Path:
    """Draw a spectrum above the library spectra that come nearest to it, the best one first."""
    figure = new_figure(9.2, 5.2)
    axes = figure.subplots(
        1, 1, gridspec_kw={"left": 0.08, "right": 0.98, "top": 0.9, "bottom": 0.1}
    )
    for number, (name, spectrum) in enumerate(candidates.items()):
        down = -0.5 * number
        axes.plot(energy, data + down, color=INK, linewidth=2.4, alpha=0.25)
        colour = COLOURS[number % len(COLOURS)]
        axes.plot(energy, spectrum + down, color=colour, linewidth=_THICK, label=name)
    label_axes(axes, "energy (eV)", "normalised absorption, shifted down")
    draw_legend(axes)
    set_title(figure, title)
    return save_png(figure, path)


def _frame(axes: Any, values: Host) -> None:
    low, high = np.nanmin(values), np.nanmax(values)
    margin = 0.08 * (high - low) or 0.5
    axes.set_ylim(low - margin, high + margin)
