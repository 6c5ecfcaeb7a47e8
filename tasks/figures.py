"""
What all pictures share: paper, ink, labels; drawn without matplotlib's global state.

Figures may be drawn from several threads. matplotlib is imported where a picture is drawn.
"""

from pathlib import Path
from typing import Any

INK, PAPER = "#1f2933", "#ffffff"
ACCENT = "#d9480f"  # for the one thing in a picture that is to be found
COLOURS = (
    "#1864ab",
    "#d9480f",
    "#2b8a3e",
    "#862e9c",
    "#e8a200",
    "#0b7285",
    "#c2255c",
    "#5c940d",
    "#495057",
    "#364fc7",
)


def new_figure(width: float, height: float) -> Any:
    """Make a figure of so many inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=130, facecolor=PAPER)


def label_axes(axes: Any, across: str, down: str) -> None:
    """Name the two axes of a picture."""
    axes.set_xlabel(across, fontsize=9, color=INK)
    axes.set_ylabel(down, fontsize=9, color=INK)
    axes.tick_params(labelsize=8, colors=INK, length=3)
    for spine in axes.spines.values():
        spine.set(color=INK, linewidth=0.6)


def label_colours(bar: Any, name: str) -> None:
    """Name what a colour bar shows."""
    bar.set_label(name, fontsize=9, color=INK)
    bar.ax.tick_params(labelsize=8, colors=INK, length=3)
    bar.outline.set_linewidth(0.6)


def colours(count: int) -> list[str]:
    """Return so many colours for curves, the same ones again where there are many."""
    return [COLOURS[number % len(COLOURS)] for number in range(count)]


def draw_legend(axes: Any, every: int = 1) -> None:
    """Name the curves of a picture, or every so many of them."""
    handles, names = axes.get_legend_handles_labels()
    shown = axes.legend(handles[::every], names[::every], fontsize=8, frameon=False)
    for text in shown.get_texts():
        text.set_color(INK)


def set_title(figure: Any, text: str) -> None:
    """Write the title at the top left."""
    top = 1 - 0.14 / figure.get_figheight()
    figure.text(0.02, top, text, fontsize=11, fontweight="bold", color=INK, va="top")


def save_png(figure: Any, path: Path) -> Path:
    """Write the figure as a PNG file and return its path."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas: Any = FigureCanvasAgg(figure)
    canvas.print_png(path)
    return path
