"""
Pictures of a reconstruction as PNG files: orthogonal slices, a sinogram, a sweep of the axis.

They take single slices, never volumes, so their memory does not grow with the volume. Figures are
drawn without matplotlib's global state and may be drawn from several threads.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tasks.arrays import Host
from tasks.figures import ACCENT, INK, label_axes, label_colours, new_figure, save_png, set_title

_MM_PER_M = 1e3


def grey_limits(*slices: Host) -> tuple[float, float]:
    """
    Choose black and white so that a few outliers do not hide the rest.

    Parameters
    ----------
    slices
        Shown side by side with the same limits; pixels that are 0 were not measured.

    Returns
    -------
    tuple of float
        Quantiles 0.5 % and 99.8 % of what was measured, a little widened.
    """
    values = np.concatenate([slice_[np.isfinite(slice_) & (slice_ != 0)] for slice_ in slices])
    if not values.size:
        return 0.0, 1.0
    low, high = (float(value) for value in np.quantile(values, (0.005, 0.998)))
    margin = 0.03 * (high - low) or 0.5
    return low - margin, high + margin


def draw_slices(
    path: Path,
    horizontal: Host,
    frontal: Host,
    lateral: Host,
    *,
    pixel_size: float | None = None,
    units: str = "1/cm",
    title: str = "",
) -> Path:
    """
    Draw three orthogonal slices of a volume with scales and a colour bar.

    Parameters
    ----------
    path
        PNG file to write.
    horizontal, frontal, lateral
        Slices across z, y and x: shapes (y, x), (z, x) and (z, y).
    pixel_size
        Voxel size in m; without it scales are in pixels.
    units
        Of the values.
    title
        Name of the scan.

    Returns
    -------
    Path
        The file.
    """
    limits = grey_limits(horizontal, frontal, lateral)
    height, width = horizontal.shape
    depth = max(frontal.shape[0], 0.18 * width)  # a flat volume is stretched, or nothing is seen
    figure = new_figure(9.2, 9.2 * (0.84 * (height + depth) / (width + depth)) + 0.9)
    grid: Any = figure.add_gridspec(
        2,
        3,
        width_ratios=[width, depth, 0.04 * width],
        height_ratios=[height, depth],
        left=0.08,
        right=0.92,
        top=1 - 0.55 / figure.get_figheight(),
        bottom=0.55 / figure.get_figheight(),
        wspace=0.12,
        hspace=0.12,
    )
    views = (
        (grid[0, 0], horizontal, ("x", "y")),
        (grid[1, 0], frontal, ("x", "z")),
        (grid[0, 1], lateral.T, ("z", "")),
    )
    image: Any = None
    for place, pixels, names in views:
        image = _show(figure.add_subplot(place), pixels, limits, pixel_size, names)
    bar: Any = figure.colorbar(image, cax=figure.add_subplot(grid[0, 2]))
    label_colours(bar, f"attenuation ({units})")
    set_title(figure, title)
    return save_png(figure, path)


def draw_sinogram(
    path: Path, sinogram: Host, angles: Host, rotation_axis: float, *, row: int, title: str = ""
) -> Path:
    """
    Draw a sinogram with the rotation axis in it.

    Parameters
    ----------
    path
        PNG file to write.
    sinogram
        Absorbance, shape (angles, columns).
    angles
        Radians.
    rotation_axis
        In columns.
    row
        Detector row of the sinogram.
    title
        Name of the scan.

    Returns
    -------
    Path
        The file.
    """
    figure = new_figure(9.2, 5.2)
    axes: Any = figure.add_axes((0.08, 0.1, 0.78, 0.8))
    first, last = np.rad2deg(float(angles[0])), np.rad2deg(float(angles[-1]))
    image = axes.imshow(
        sinogram,
        cmap="gray",
        aspect="auto",
        vmin=float(np.nanquantile(sinogram, 0.002)),
        vmax=float(np.nanquantile(sinogram, 0.998)),
        extent=(-0.5, sinogram.shape[1] - 0.5, last, first),
        interpolation="antialiased",
    )
    axes.axvline(rotation_axis, color=ACCENT, linewidth=1.2, linestyle=(0, (6, 4)))
    axes.annotate(
        f"axis {rotation_axis:.2f}",
        (rotation_axis, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(0, 4),
        textcoords="offset points",
        ha="center",
        color=ACCENT,
        fontsize=9,
    )
    label_axes(axes, "column (pixels)", "angle (degrees)")
    bar: Any = figure.colorbar(image, cax=figure.add_axes((0.88, 0.1, 0.018, 0.8)))
    label_colours(bar, "absorbance")
    set_title(figure, f"{title}   row {row}".strip())
    return save_png(figure, path)


def draw_axis_sweep(
    path: Path,
    slices: Sequence[Host],
    rotation_axes: Sequence[float],
    chosen: float,
    *,
    row: int,
    title: str = "",
) -> Path:
    """
    Draw the same slice reconstructed about several axes, for a person to choose from.

    Parameters
    ----------
    path
        PNG file to write.
    slices
        Each of shape (y, x).
    rotation_axes
        The axis in columns that each was reconstructed about.
    chosen
        The axis in use; the slice nearest to it is framed.
    row
        Detector row of the slice.
    title
        Name of the scan.

    Returns
    -------
    Path
        The file.
    """
    limits = grey_limits(*slices)
    across = min(len(slices), 4 if len(slices) > 3 else 3)
    down = -(-len(slices) // across)
    figure = new_figure(3.0 * across + 0.2, 3.25 * down + 0.5)
    nearest = int(np.argmin([abs(axis - chosen) for axis in rotation_axes]))
    grid: Any = figure.add_gridspec(
        down,
        across,
        left=0.015,
        right=0.985,
        bottom=0.01,
        top=1 - 0.72 / figure.get_figheight(),
        wspace=0.04,
        hspace=0.12,
    )
    for index, (slice_, axis) in enumerate(zip(slices, rotation_axes, strict=True)):
        axes = figure.add_subplot(grid[index // across, index % across])
        axes.imshow(slice_, cmap="gray", vmin=limits[0], vmax=limits[1], interpolation="lanczos")
        axes.set(xticks=[], yticks=[])
        here = index == nearest
        label = f"{axis:.2f}  (in use)" if here else f"{axis:.2f}  ({axis - chosen:+.2f})"
        colour = ACCENT if here else INK
        axes.set_title(label, fontsize=10, color=colour, fontweight="bold" if here else None, pad=4)
        for spine in axes.spines.values():
            spine.set(color=colour, linewidth=2.5 if here else 0.5)
    set_title(figure, f"{title}   row {row}: rotation axis in columns".strip())
    return save_png(figure, path)


def sweep_offsets(columns: int, count: int = 7) -> list[float]:
    """
    Choose how far from the axis the slices of a sweep are, closer together near it.

    Parameters
    ----------
    columns
        Width of the detector: wide ones are seen smaller, so steps are larger.
    count
        How many, odd.

    Returns
    -------
    list of float
        Columns, symmetric about 0.
    """
    step = max(0.5, round(columns / 512) / 2)
    half = [step * (2**i) for i in range(count // 2)]
    return [-offset for offset in reversed(half)] + [0.0] + half


def _show(
    axes: Any,
    pixels: Host,
    limits: tuple[float, float],
    pixel_size: float | None,
    names: tuple[str, str],
) -> Any:
    """Show a slice with scales; an axis without a name is that of the view to the left."""
    scale, unit = (pixel_size * _MM_PER_M, "mm") if pixel_size else (1.0, "pixels")
    height, width = pixels.shape
    image = axes.imshow(
        pixels,
        cmap="gray",
        vmin=limits[0],
        vmax=limits[1],
        aspect="auto",
        extent=(-0.5 * scale, (width - 0.5) * scale, (height - 0.5) * scale, -0.5 * scale),
        interpolation="antialiased",
    )
    across, down = (f"{name} ({unit})" if name else "" for name in names)
    label_axes(axes, across, down)
    axes.locator_params(nbins=5, min_n_ticks=2)
    if not down:
        axes.set_yticklabels([])
    return image
