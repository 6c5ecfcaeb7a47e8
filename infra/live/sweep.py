"""A diffraction sweep while it is collected: a strip chart that grows."""

import math
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from catalog.live import Seen, Target
from tasks.io.diffraction import Images, open_images
from tasks.io.scan import ScanReference
from tasks.mx.image_figures import ImageFigures, image_figures
from tasks.mx.strip_chart import draw_strip_chart

MOST_AT_ONCE = 24
"""Images of one look: the chart moves on every few seconds."""
MOST_IN_MEMORY = 6
MOST_IN_ALL = 1000
"""More images than that are looked at every second, third... one."""
SHOWN = ("spots", "resolution", "ice", "overloaded", "total", "background")


class SweepFollower:
    """Looks at the images that have come since the last time.

    Parameters
    ----------
    target : Target
        The sweep.
    """

    def __init__(self, target: Target) -> None:
        self._name = target.name
        self._reference = ScanReference(str(target.path), target.inner_path, target.format)
        self._figures: list[ImageFigures] = []
        self._done: set[int] = set()

    def look(self) -> Seen | None:
        """Find spots on new images, and draw the chart anew."""
        with open_images(self._reference) as images:
            planned = images.shape[0]
            come = sorted(set(range(planned)) - set(images.lost_images))
            new = self._chosen(come, planned)
            if not new:
                return None
            self._figures += [_figures_of(images, run) for run in _runs(new)]
        self._done.update(new)
        figures = ImageFigures.join(self._figures)
        figures = figures.take(np.argsort(figures.image))
        return Seen(
            seen=len(come),
            planned=planned,
            figures=_as_json(figures),
            picture=_picture(figures, planned, self._name),
            note=_note(figures),
        )

    def _chosen(self, come: list[int], planned: int) -> list[int]:
        every = math.ceil(planned / MOST_IN_ALL)
        return [each for each in come if each % every == 0 and each not in self._done][
            :MOST_AT_ONCE
        ]


def _runs(numbers: list[int]) -> Iterator[range]:
    """Give the numbers as ranges without gaps, short ones, since images are large."""
    start = 0
    for place in range(1, len(numbers) + 1):
        is_last = place == len(numbers) or numbers[place] != numbers[place - 1] + 1
        if is_last or place - start == MOST_IN_MEMORY:
            yield range(numbers[start], numbers[place - 1] + 1)
            start = place


def _figures_of(images: Images, numbers: range) -> ImageFigures:
    return image_figures(
        images.read(slice(numbers.start, numbers.stop)),
        images.mask,
        images.geometry,
        images.saturation,
        numbers.start,
        images.geometry.detector.gain,
    )


def _picture(figures: ImageFigures, planned: int, name: str) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder, "strip_chart.png")
        draw_strip_chart(path, figures, planned, name)
        return path.read_bytes()


def _as_json(figures: ImageFigures) -> dict[str, Any]:
    """Return the figures by name; None for what is not known, since JSON has no word for it."""
    columns = {name: _plain(getattr(figures, name)) for name in SHOWN}
    return {"image": [int(each) + 1 for each in figures.image], **columns}


def _plain(values: NDArray[Any]) -> list[float | int | None]:
    if values.dtype.kind in "iu":
        return [int(each) for each in values]
    return [float(f"{each:.4g}") if math.isfinite(each) else None for each in values]


def _note(figures: ImageFigures) -> str:
    said = [f"{int(np.median(figures.spots))} spots an image"]
    known = figures.resolution[np.isfinite(figures.resolution)]
    if len(known):
        said.append(f"to {np.median(known):.2f} Å")
    if (figures.overloaded > 0).any():
        said.append(f"overloads on {int((figures.overloaded > 0).sum())} images")
    return ", ".join(said)
