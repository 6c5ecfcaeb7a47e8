"""Pictures of a total-scattering reduction as PNG files: image, I(Q), F(Q), G(r), series."""

from pathlib import Path
from typing import Any

import numpy as np

from tasks.arrays import Host
from tasks.figures import (
    ACCENT,
    COLOURS,
    draw_legend,
    label_axes,
    label_colours,
    new_figure,
    save_png,
    set_title,
)

_GREY = "#868e96"
_THIN, _THICK = 0.8, 1.4
_MOST_PIXELS = 700  # of an image in each direction: no screen shows more beside a cake
_MOST_ROWS = 1200  # of a heat map
_BAND = 1.96  # sigmas: 95 %
_Q, _R = "Q (1/Å)", "r (Å)"
_G = "G(r) (1/Å²)"


def draw_image(
    path: Path, mean: Host, mask: Host, cake: Host, azimuth: Host, q: Host, title: str
) -> Path:
    """
    Draw the mean image with what is left out, and the same by azimuth and Q.

    Parameters
    ----------
    path
        PNG file to write.
    mean
        Mean of the frames, (rows, columns).
    mask
        True: left out, (rows, columns).
    cake
        (azimuths, bins); NaN where there is no pixel.
    azimuth, q
        Its axes, degrees and 1/Å, (azimuths,) and (bins,).
    title
        Name of the scan.
    """
    figure = new_figure(9.2, 4.6)
    left, right = figure.subplots(
        1, 2, gridspec_kw={"left": 0.07, "right": 0.97, "top": 0.88, "bottom": 0.12, "wspace": 0.25}
    )
    rows, columns = mean.shape
    step = -(-max(rows, columns) // _MOST_PIXELS)
    extent = (-0.5, columns - 0.5, rows - 0.5, -0.5)
    shown, gone = _binned(np.where(mask, np.nan, mean), step), _binned(mask.astype(float), step)
    left.imshow(shown, extent=extent, cmap="viridis", norm=_logarithmic(shown), aspect="equal")
    red = np.ma.masked_less(gone, 0.5)
    left.imshow(red, extent=extent, cmap=_one_colour(ACCENT), vmin=0, vmax=1, aspect="equal")
    label_axes(left, "column", "row")
    norm = _logarithmic(cake)
    image = right.pcolormesh(q, azimuth, cake, cmap="viridis", norm=norm, shading="nearest")
    label_axes(right, _Q, "azimuth (°)")
    bar = figure.colorbar(image, ax=right, pad=0.02, format="{x:g}")
    bar.ax.yaxis.set_minor_formatter("")
    label_colours(bar, "intensity of a pixel")
    set_title(figure, f"{title}   left out: {100 * mask.mean():.1f} % of the pixels")
    return save_png(figure, path)


def draw_intensity(
    path: Path,
    q: Host,
    measured: Host,
    corrected: Host,
    sigma: Host,
    background: Host | None,
    title: str,
) -> Path:
    """
    Draw I(Q) as measured, the background, and what is left with its 95 % band.

    Parameters
    ----------
    path
        PNG file to write.
    q
        1/Å, (bins,).
    measured, corrected, sigma
        Before and after the background is taken off, and its standard uncertainty, (bins,).
    background
        As it was taken off, (bins,); None for none.
    title
        Name of the scan, and the scale of the background.
    """
    figure = new_figure(9.2, 4.6)
    axes = figure.subplots(
        1, 1, gridspec_kw={"left": 0.09, "right": 0.98, "top": 0.89, "bottom": 0.12}
    )
    if background is not None:
        axes.plot(q, measured, color=_GREY, linewidth=_THIN, label="as measured")
        axes.plot(q, background, color=COLOURS[4], linewidth=_THIN, label="background")
    _curve(axes, q, corrected, sigma, COLOURS[0], "sample" if background is not None else "I(Q)")
    axes.axhline(0, color=_GREY, linewidth=0.5)
    _logarithmic_if_steep(axes, corrected)
    label_axes(axes, _Q, "intensity")
    draw_legend(axes)
    set_title(figure, title)
    return save_png(figure, path)


def draw_structure(
    path: Path, q: Host, f: Host, sigma: Host, q_range: tuple[float, float], title: str
) -> Path:
    """Draw F(Q) with its 95 % band and the range that is transformed."""
    figure = new_figure(9.2, 4.2)
    axes = figure.subplots(
        1, 1, gridspec_kw={"left": 0.09, "right": 0.98, "top": 0.88, "bottom": 0.13}
    )
    axes.axvspan(*q_range, color=COLOURS[0], alpha=0.06)
    axes.axhline(0, color=_GREY, linewidth=0.5)
    _curve(axes, q, f, sigma, COLOURS[0], "F(Q)")
    label_axes(axes, _Q, "F(Q) (1/Å)")
    set_title(figure, title)
    return save_png(figure, path)


def draw_pair_distribution(
    path: Path,
    r: Host,
    g: Host,
    sigma: Host,
    title: str,
    *,
    fit: tuple[str, Host, Host] | None = None,
    line: Host | None = None,
) -> Path:
    """
    Draw G(r) with its 95 % band, and the structure that is fitted to it.

    Parameters
    ----------
    path
        PNG file to write.
    r
        Å, (distances,).
    g, sigma
        1/Å², (distances,).
    title
        Name of the scan.
    fit
        Name of a structure, its distances and its G(r), (points,).
    line
        What G(r) is below the first distance between atoms, -4 pi rho r, (distances,).
    """
    figure = new_figure(9.2, 4.8)
    axes = figure.subplots(
        1, 1, gridspec_kw={"left": 0.09, "right": 0.98, "top": 0.89, "bottom": 0.12}
    )
    axes.axhline(0, color=_GREY, linewidth=0.5)
    _curve(axes, r, g, sigma, COLOURS[0], "G(r)")
    if line is not None:
        low = r <= 1.5
        axes.plot(r[low], line[low], color=COLOURS[2], linewidth=_THIN, label="-4πρ₀r")
    if fit is not None:
        name, at, calculated = fit
        axes.plot(at, calculated, color=ACCENT, linewidth=_THIN, label=name)
        apart = np.interp(at, r, g) - calculated
        down = float(np.nanmin(g) - 1.2 * np.nanmax(np.abs(apart)))
        axes.axhline(down, color=_GREY, linewidth=0.5)
        axes.plot(at, apart + down, color=COLOURS[2], linewidth=_THIN, label="difference")
    label_axes(axes, _R, _G)
    draw_legend(axes)
    set_title(figure, title)
    return save_png(figure, path)


def draw_heat_map(path: Path, r: Host, g: Host, left_out: Host, title: str) -> Path:
    """
    Draw G(r) of all frames of a series; those that are left out are blank and marked.

    Parameters
    ----------
    path
        PNG file to write.
    r
        Å, (distances,).
    g
        (frames, distances); NaN rows for frames that are left out.
    left_out
        Their numbers.
    title
        Name of the scan.
    """
    figure = new_figure(9.2, 5.0)
    axes = figure.subplots(
        1, 1, gridspec_kw={"left": 0.08, "right": 1.0, "top": 0.9, "bottom": 0.11}
    )
    rows = g[:: -(-len(g) // _MOST_ROWS)]
    places = np.arange(len(g))[:: -(-len(g) // _MOST_ROWS)]
    most = float(np.nanquantile(np.abs(rows), 0.995)) or 1.0
    image = axes.pcolormesh(
        r, places, rows, cmap="RdBu_r", vmin=-most, vmax=most, shading="nearest"
    )
    for frame in left_out:
        axes.plot(r[0], frame, marker=">", color=ACCENT, markersize=4, clip_on=False)
    axes.yaxis.get_major_locator().set_params(integer=True)
    label_axes(axes, _R, "frame")
    label_colours(figure.colorbar(image, ax=axes, pad=0.02), _G)
    told = f", {len(left_out)} left out" if len(left_out) else ""
    set_title(figure, f"{title}   {len(g)} frames{told}")
    return save_png(figure, path)


def draw_similarity(path: Path, frames: Host, matrix: Host, title: str) -> Path:
    """Draw Pearson's correlation of the G(r) of each frame, (frames,), with each other's."""
    figure = new_figure(5.6, 5.0)
    axes = figure.subplots(
        1, 1, gridspec_kw={"left": 0.12, "right": 0.94, "top": 0.89, "bottom": 0.11}
    )
    step = -(-len(matrix) // _MOST_ROWS)
    image = axes.pcolormesh(
        frames[::step], frames[::step], matrix[::step, ::step], cmap="viridis", shading="nearest"
    )
    axes.set_aspect("equal")
    label_axes(axes, "frame", "frame")
    label_colours(figure.colorbar(image, ax=axes, pad=0.02), "correlation")
    set_title(figure, title)
    return save_png(figure, path)


def draw_parts(
    path: Path, r: Host, patterns: Host, frames: Host, amounts: Host, title: str
) -> Path:
    """
    Draw the components of a series and how much of each is in every frame.

    Parameters
    ----------
    path
        PNG file to write.
    r
        Å, (distances,).
    patterns
        (components, distances).
    frames, amounts
        Their numbers (frames,), and (frames, components).
    title
        Name of the scan.
    """
    figure = new_figure(9.2, 4.6)
    left, right = figure.subplots(
        1, 2, gridspec_kw={"left": 0.08, "right": 0.98, "top": 0.88, "bottom": 0.13, "wspace": 0.24}
    )
    apart = 1.1 * float(np.nanmax(patterns, initial=0) - np.nanmin(patterns, initial=0))
    marker = "o" if len(frames) <= 60 else ""
    for number, pattern in enumerate(patterns):
        colour, name = COLOURS[number % len(COLOURS)], f"component {number + 1}"
        left.plot(r, pattern - number * apart, color=colour, linewidth=_THIN, label=name)
        right.plot(
            frames, amounts[:, number], color=colour, lw=_THICK, marker=marker, ms=3.5, label=name
        )
    label_axes(left, _R, "component, shifted down")
    right.set_ylim(bottom=0)
    label_axes(right, "frame", "amount")
    draw_legend(right)
    set_title(figure, title)
    return save_png(figure, path)


def _curve(axes: Any, x: Host, y: Host, sigma: Host, colour: str, name: str) -> None:
    band = _BAND * np.nan_to_num(sigma)
    axes.fill_between(x, y - band, y + band, color=colour, alpha=0.25, linewidth=0)
    axes.plot(x, y, color=colour, linewidth=_THICK if len(x) < 800 else _THIN, label=name)
    axes.set_xlim(float(x[0]), float(x[-1]))


def _logarithmic_if_steep(axes: Any, intensity: Host) -> None:
    """Show Bragg peaks and what lies between them; what is not above zero is cut off."""
    positive = intensity[np.isfinite(intensity) & (intensity > 0)]
    if not len(positive) or positive.max() < 30 * np.median(positive):
        return
    axes.set_yscale("log")
    axes.set_ylim(bottom=float(0.7 * np.quantile(positive, 0.002)))
    axes.yaxis.set_major_formatter("{x:g}")


def _binned(values: Host, step: int) -> Host:
    """Average squares of so many pixels; rows and columns that are left over are not shown."""
    if step == 1:
        return values
    rows, columns = (length // step for length in values.shape)
    squares = values[: rows * step, : columns * step].reshape(rows, step, columns, step)
    known = np.isfinite(squares)
    sums = np.where(known, squares, 0.0).sum(axis=(1, 3))
    counts = known.sum(axis=(1, 3))
    with np.errstate(invalid="ignore", divide="ignore"):
        return sums / counts


def _logarithmic(values: Host) -> Any:
    from matplotlib.colors import LogNorm, Normalize

    positive = values[np.isfinite(values) & (values > 0)]
    if not len(positive):
        return Normalize(0, 1)
    low, high = np.quantile(positive, (0.01, 0.999))
    return LogNorm(low, max(high, 1.01 * low), clip=True)


def _one_colour(colour: str) -> Any:
    from matplotlib.colors import ListedColormap

    return ListedColormap([colour])
