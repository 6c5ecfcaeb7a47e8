"""Pictures of scaling and merging as PNG files."""

from pathlib import Path
from typing import Any

import numpy as np

from tasks.arrays import Host
from tasks.figures import ACCENT, COLOURS, draw_legend, label_axes, new_figure, save_png, set_title
from tasks.mx.merge import Merged
from tasks.mx.merging_statistics import Statistics
from tasks.mx.resolution_cut import LEVEL, Cut
from tasks.mx.scale import Scaled

_GREY = "#868e96"
_THIN, _THICK = 0.8, 1.4
_WILSON_SHELLS = 40
_D = "d (Å)"


def draw_resolution(path: Path, statistics: Statistics, cut: Cut, title: str) -> Path:
    """
    Draw CC1/2, CCanom, I/sigma and completeness against resolution.

    Parameters
    ----------
    path
        PNG file to write.
    statistics
        Of all data, not cut.
    cut
        Where they are cut.
    title
        Name of the dataset.
    """
    figure = new_figure(9.2, 3.6)
    grid = {"left": 0.065, "right": 0.985, "top": 0.84, "bottom": 0.15, "wspace": 0.26}
    first, second, third = figure.subplots(1, 3, gridspec_kw=grid)
    x = _middles(statistics)
    first.plot(
        x, statistics.column("cc_half"), "o-", ms=3, lw=_THIN, color=COLOURS[0], label="CC1/2"
    )
    anomalous = statistics.column("cc_anom")
    first.plot(x, anomalous, "s-", ms=2.5, lw=_THIN, color=COLOURS[3], label="CCanom")
    if np.isfinite(cut.curve).any():
        first.plot(cut.d**-2, cut.curve, color=_GREY, lw=_THICK, label="fitted")
    first.axhline(LEVEL, color=_GREY, lw=0.5, ls=":")
    first.set_ylim(min(-0.1, float(np.nanmin(anomalous, initial=0))), 1.04)
    label_axes(first, _D, "correlation")
    draw_legend(first)
    second.plot(x, statistics.column("i_over_sigma"), "o-", ms=3, lw=_THIN, color=COLOURS[0])
    second.set_yscale("log")
    second.yaxis.set_major_locator(_decades())
    second.yaxis.set_major_formatter("{x:g}")
    second.yaxis.set_minor_formatter("")
    label_axes(second, _D, "mean I/σ(I)")
    third.plot(
        x,
        100 * statistics.column("completeness"),
        "o-",
        ms=3,
        lw=_THIN,
        color=COLOURS[0],
        label="all",
    )
    both = 100 * statistics.column("anomalous_completeness")
    third.plot(x, both, "s-", ms=2.5, lw=_THIN, color=COLOURS[3], label="both Friedel mates")
    third.set_ylim(0, 104)
    label_axes(third, _D, "completeness (%)")
    draw_legend(third)
    for axes in (first, second, third):
        _as_spacing(axes)
        if cut.reached:
            axes.axvline(cut.d_min**-2, color=ACCENT, lw=_THIN)
    set_title(figure, f"{title}   {cut.rule}")
    return save_png(figure, path)


def draw_wilson(path: Path, merged: Merged, title: str, *, b: float | None = None) -> Path:
    """
    Draw ln <I> against 1/d²: a straight line of slope -B/2, but for ice and protein's own waves.

    Parameters
    ----------
    path
        PNG file to write.
    merged
        Merged intensities.
    title
        Name of the dataset.
    b
        Wilson's B in Å², where it is known: its line is drawn through the outer half.
    """
    figure = new_figure(6.4, 4.2)
    axes = figure.subplots(
        1, 1, gridspec_kw={"left": 0.1, "right": 0.97, "top": 0.88, "bottom": 0.12}
    )
    x = merged.d**-2
    order = np.argsort(x)
    parts = [each for each in np.array_split(order, min(_WILSON_SHELLS, len(x))) if len(each)]
    middle = np.array([x[each].mean() for each in parts])
    mean = np.array([merged.intensity[each].mean() for each in parts])
    seen = mean > 0
    axes.plot(middle[seen], np.log(mean[seen]), "o-", ms=3, lw=_THIN, color=COLOURS[0])
    if b is not None:
        outer = seen & (middle > np.median(middle))
        level = float(np.mean(np.log(mean[outer]) + b * middle[outer] / 2))
        axes.plot(middle[outer], level - b * middle[outer] / 2, color=ACCENT, lw=_THICK)
        title = f"{title}   B = {b:.1f} Å²"
    _as_spacing(axes)
    label_axes(axes, _D, "ln <I>")
    set_title(figure, title)
    return save_png(figure, path)


def draw_along(path: Path, scaled: Scaled, title: str) -> Path:
    """
    Draw scale, B and Rmerge against image, a colour for each sweep.

    Parameters
    ----------
    path
        PNG file to write.
    scaled
        Scaled observations.
    title
        Name of the dataset.
    """
    figure = new_figure(9.2, 5.2)
    grid = {"left": 0.08, "right": 0.98, "top": 0.91, "bottom": 0.1, "hspace": 0.12}
    rows = figure.subplots(3, 1, sharex=True, gridspec_kw=grid)
    for place, (number, part) in enumerate(sorted(scaled.model.sweeps.items())):
        colour = COLOURS[place % len(COLOURS)]
        z = np.linspace(part.begin, part.end, 300)
        rows[0].plot(z, scaled.model.scale(number, z), color=colour, lw=_THICK)
        name = f"sweep {number + 1}"
        rows[1].plot(z, scaled.model.decay(number, z), color=colour, lw=_THICK, label=name)
        image, disagreement = merging_by_image(scaled, number)
        rows[2].plot(image, 100 * disagreement, color=colour, lw=_THIN)
    for axes, name in zip(rows, ("inverse scale k", "B (Å²)", "Rmerge (%)"), strict=True):
        label_axes(axes, "image" if axes is rows[2] else "", name)
    rows[0].set_ylim(bottom=0)
    rows[2].set_ylim(bottom=0)
    if len(scaled.model.sweeps) > 1:
        draw_legend(rows[1])
    set_title(figure, title)
    return save_png(figure, path)


def merging_by_image(scaled: Scaled, sweep: int) -> tuple[Host, Host]:
    """
    Compare each image's observations with the means that all images give.

    Returns
    -------
    image, r_merge
        Image coordinate of the middle of each image that has observations, and its Rmerge.
    """
    kept, of = scaled.kept, scaled.symmetry.of
    weight = np.where(kept, scaled.sigma**-2, 0.0)
    count = len(scaled.symmetry.hkl)
    total = np.bincount(of, weight, count)
    mean = np.bincount(of, weight * scaled.intensity, count) / np.maximum(total, 1e-300)
    several = np.bincount(of[kept], minlength=count)[of] > 1
    used = kept & several & (scaled.observations.sweep == sweep)
    image = np.floor(scaled.observations.xyz[used, 2]).astype(int)
    image -= int(min(image.min(initial=0), 0))
    above = np.bincount(image, np.abs(scaled.intensity - mean[of])[used])
    below = np.bincount(image, scaled.intensity[used])
    seen = below > 0
    return np.flatnonzero(seen) + 0.5, above[seen] / below[seen]


def _middles(statistics: Statistics) -> Host:
    return (statistics.column("d_max") ** -2 + statistics.column("d_min") ** -2) / 2


def _decades() -> Any:
    from matplotlib.ticker import LogLocator

    return LogLocator(subs=(1, 2, 5))


def _as_spacing(axes: Any) -> None:
    """Label an axis of 1/d² with d."""

    def spacing(x: float, _: int) -> str:
        return f"{x**-0.5:.2f}" if x > 0 else ""

    axes.xaxis.set_major_formatter(spacing)
