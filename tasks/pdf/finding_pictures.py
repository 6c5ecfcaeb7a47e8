"""Pictures of what curves were found to say: shares of phases, and the order in a liquid."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tasks.arrays import Host
from tasks.figures import (
    ACCENT,
    COLOURS,
    draw_legend,
    label_axes,
    new_figure,
    save_png,
    set_title,
)
from tasks.pdf.liquids import Coordination, RadialFunctions

_GREY = "#868e96"
_BAND = 1.96  # sigmas: 95 %
_FAR = 10.0  # Å: beyond there is little order in a liquid


def draw_phases(
    path: Path, frames: Host, mass: Host, sigma: Host, names: Sequence[str], title: str
) -> Path:
    """
    Draw shares of the mass along a series, with bars of 95 %.

    Parameters
    ----------
    path
        PNG file to write.
    frames
        Their numbers, (frames,).
    mass, sigma
        Shares and 1 sigma, (frames, phases).
    names
        Of the phases.
    title
        Name of the scan.
    """
    figure = new_figure(7.6, 4.4)
    axes = figure.subplots(
        1, 1, gridspec_kw={"left": 0.1, "right": 0.98, "top": 0.88, "bottom": 0.13}
    )
    for number, name in enumerate(names):
        axes.errorbar(
            frames,
            100 * mass[:, number],
            yerr=100 * _BAND * np.nan_to_num(sigma[:, number]),
            color=COLOURS[number % len(COLOURS)],
            marker="o",
            markersize=3.5,
            linewidth=0.8,
            capsize=2,
            label=name,
        )
    axes.set_ylim(-2, 102)
    axes.xaxis.get_major_locator().set_params(integer=True)
    label_axes(axes, "frame", "share of the mass (%)")
    draw_legend(axes)
    set_title(figure, title)
    return save_png(figure, path)


def draw_liquid(
    path: Path,
    radial: RadialFunctions,
    measured: tuple[Host, Host],
    normalised: tuple[Host, Host] | None,
    shell: Coordination | None,
    title: str,
) -> Path:
    """
    Draw S(Q) before and after its normalisation, and g(r) with the first shell.

    Parameters
    ----------
    path
        PNG file to write.
    radial
        Of one pattern.
    measured, normalised
        Q in 1/Å and S(Q), (points,) each.
    shell
        Its peak and minimum are marked.
    title
        Name of the sample.
    """
    figure = new_figure(9.2, 4.6)
    left, right = figure.subplots(
        1, 2, gridspec_kw={"left": 0.07, "right": 0.98, "top": 0.88, "bottom": 0.13, "wspace": 0.2}
    )
    left.axhline(1, color=_GREY, linewidth=0.5)
    left.plot(*measured, color=_GREY, linewidth=0.8, label="as measured")
    if normalised is not None:
        left.plot(*normalised, color=COLOURS[0], linewidth=0.8, label="after the iteration")
    label_axes(left, "Q (1/Å)", "S(Q)")
    draw_legend(left)
    r, g, band = radial.r, radial.g, _BAND * np.nan_to_num(radial.g_sigma)
    right.axhline(1, color=_GREY, linewidth=0.5)
    right.fill_between(r, g - band, g + band, color=COLOURS[0], alpha=0.25, linewidth=0)
    right.plot(r, g, color=COLOURS[0], linewidth=1.2, label="g(r)")
    if shell is not None:
        right.axvline(shell.peak, color=ACCENT, linewidth=0.8, label="first peak")
        shown = {"color": COLOURS[2], "linewidth": 0.8, "linestyle": "--"}
        right.axvline(shell.minimum, label="minimum behind it", **shown)
    inside = (r > 0.5) & (r < _FAR)  # nearer to 0, g(r) is noise over next to nothing
    right.set_xlim(0, min(_FAR, float(r[-1])))
    right.set_ylim(min(-0.2, float(g[inside].min())), 1.1 * float(g[inside].max()))
    label_axes(right, "r (Å)", "g(r)")
    draw_legend(right)
    set_title(figure, title)
    return save_png(figure, path)
