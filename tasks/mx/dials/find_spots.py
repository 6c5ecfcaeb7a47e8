"""Strong spots by DIALS."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.io.dials_table import read_reflections, write_reflections
from tasks.io.scan import ScanReference
from tasks.mx.dials.commands import Dials
from tasks.mx.reflections import Spots

IMPORTED, STRONG = "imported.expt", "strong.refl"


def find_spots(dials: Dials, data: ScanReference, images: tuple[int, int] | None = None) -> Spots:
    """
    Import a sweep and find its spots.

    Parameters
    ----------
    dials
        Where it works; ``imported.expt`` and ``strong.refl`` are left there.
    data
        A file, or a folder with the template of a series of images.
    images
        Numbers of the first and the last image, as the files count; None: all.

    Raises
    ------
    DataError
        DIALS is not installed or failed.
    """
    wanted = [] if images is None else [f"image_range={images[0]},{images[1]}"]
    dials.run("dials.import", source(data), f"output.experiments={IMPORTED}", *wanted)
    dials.run("dials.find_spots", IMPORTED, f"output.reflections={STRONG}", f"nproc={dials.cores}")
    return spots_of(read_reflections(dials.file(STRONG)))


def source(data: ScanReference) -> str:
    """Return how DIALS is told where images are: a template with ``#``, or a file."""
    if "#" in data.inner_path:
        return f"template={Path(data.path, data.inner_path)}"
    return data.path


def spots_of(table: Mapping[str, NDArray[Any]]) -> Spots:
    """Return the spots of a reflection table."""
    box = np.asarray(table["bbox"], dtype=np.int64)
    size = (box[:, 1] - box[:, 0]) * (box[:, 3] - box[:, 2]) * (box[:, 5] - box[:, 4])
    counted = table.get("n_signal", size)
    return Spots(
        xyz=np.asarray(table["xyzobs.px.value"], dtype=np.float64),
        variance=np.asarray(table["xyzobs.px.variance"], dtype=np.float64),
        intensity=np.asarray(table["intensity.sum.value"], dtype=np.float64),
        pixels=np.asarray(counted, dtype=np.int32),
        images=np.column_stack([box[:, 4], box[:, 5] - 1]).astype(np.int32),
    )


def write_spots(path: Path, spots: Spots) -> None:
    """Write spots as DIALS reads them, so that it may index what others found."""
    count = len(spots)
    whole = np.zeros(count, dtype=np.int32)
    write_reflections(
        path,
        {
            "xyzobs.px.value": spots.xyz,
            "xyzobs.px.variance": spots.variance,
            "intensity.sum.value": spots.intensity,
            "intensity.sum.variance": np.maximum(spots.intensity, 1.0),
            "bbox": _boxes(spots),
            "n_signal": spots.pixels,
            "panel": whole.astype(np.uint64),
            "id": whole,
            "imageset_id": whole,
            "flags": np.full(count, 1 << 5, dtype=np.uint64),
        },
    )


def _boxes(spots: Spots) -> NDArray[np.int32]:
    """Return boxes about the centroids: as wide as the pixels say, as long as the images do."""
    images = spots.images[:, 1] - spots.images[:, 0] + 1
    half = np.ceil(np.sqrt(spots.pixels / images) / 2).astype(np.int64) + 1
    middle = np.floor(spots.xyz[:, :2]).astype(np.int64)
    sides = [middle[:, :1] - half[:, None], middle[:, :1] + half[:, None] + 1]
    ends = [middle[:, 1:] - half[:, None], middle[:, 1:] + half[:, None] + 1]
    along = [spots.images[:, :1], spots.images[:, 1:] + 1]
    return np.hstack([*sides, *ends, *along]).astype(np.int32)
