"""What an NXmx file or a DECTRIS master says of the measurement and of the detector's pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from tasks.io.diffraction import Facts
from tasks.io.hdf5 import Tree
from tasks.io.mx.nexus_axes import Transformation
from tasks.io.values import moment, plain, scalar, text, whole

SATURATIONS = (
    "saturation_value",
    "detectorSpecific/saturation_value",
    "detectorSpecific/countrate_correction_count_cutoff",
    "countrate_correction_count_cutoff",
    "detectorSpecific/count_cutoff",
)
MASKS = ("pixel_mask", "detectorSpecific/pixel_mask")
STEP = 1e-6  # mm, by which two places of a grid differ at least


def planned_images(tree: Tree, detector: h5py.Group) -> int | None:
    """Return how many images a DECTRIS detector was armed for; None if the file does not say."""
    images = whole(tree, ("detectorSpecific/nimages",), detector)
    if images is None:
        return None
    return images * (whole(tree, ("detectorSpecific/ntrigger",), detector) or 1)


def saturation_of(tree: Tree, detector: h5py.Group) -> float | None:
    """Return the counts above which a pixel is overloaded."""
    return _positive(scalar(tree, SATURATIONS, detector))


def stated_mask(
    tree: Tree, detector: h5py.Group, shape: tuple[int, int]
) -> tuple[NDArray[np.bool_] | None, tuple[str, ...]]:
    """Return the pixels that the detector's mask leaves out, and what is wrong with the mask."""
    for name in MASKS:
        dataset = tree.dataset(name, detector)
        if dataset is None or dataset.ndim < 2:
            continue
        mask = tree.values(dataset).reshape(-1, *dataset.shape[-2:])[0]
        if mask.shape == shape:
            return mask != 0, ()
        return None, (
            f"{tree.path}: its pixel_mask has {mask.shape[0]} x {mask.shape[1]} pixels, the images "
            f"have {shape[0]} x {shape[1]}; the mask is not used.",
        )
    return None, ()


def facts_of(
    tree: Tree, entry: h5py.Group, detector: h5py.Group, sample: Sequence[Transformation]
) -> Facts:
    """Return what an entry says; ``sample`` is the chain that carries the crystal."""
    beams = ("instrument/beam/total_flux", "instrument/beam/flux", "sample/beam/total_flux")
    return Facts(
        exposure=_positive(scalar(tree, ("count_time", "frame_time"), detector)),
        flux=_positive(scalar(tree, beams, entry)),
        transmission=_positive(
            scalar(tree, ("instrument/attenuator/attenuator_transmission",), entry)
        ),
        temperature=_positive(scalar(tree, ("sample/temperature",), entry)),
        sample=text(tree, ("sample/name",), entry) or "",
        title=text(tree, ("title",), entry) or tree.path.stem.removesuffix("_master"),
        started_at=moment(text(tree, ("start_time",), entry)),
        space_group=text(
            tree,
            ("sample/unit_cell_group", "sample/space_group", "sample/crystal/space_group"),
            entry,
        )
        or "",
        cell=_cell(tree, entry),
        grid=grid_of(sample),
    )


def _cell(tree: Tree, entry: h5py.Group) -> tuple[float, float, float, float, float, float] | None:
    dataset = tree.dataset("sample/unit_cell", entry)
    values = [] if dataset is None else tree.values(dataset).reshape(-1).tolist()
    if len(values) != 6 or not all(each > 0 for each in values):
        return None
    a, b, c, alpha, beta, gamma = (float(each) for each in values)
    return a, b, c, alpha, beta, gamma


def grid_of(sample: Sequence[Transformation]) -> tuple[int, int] | None:
    """
    Return rows and columns of a grid scan: two translations that vary, all places of their grid.

    The one that changes from the first image to the second runs along the columns.
    """
    moving = [each for each in sample if not each.axis.is_rotation and each.varies]
    if len(moving) == 1:
        return 1, len(_places(moving[0].values))
    if len(moving) != 2:
        return None
    moving.sort(key=lambda each: abs(each.values[1] - each.values[0]))
    rows, columns = (len(_places(each.values)) for each in moving)
    return (rows, columns) if rows * columns == len(moving[0].values) else None


def _places(values: NDArray[np.float64]) -> list[float]:
    """Return the different places among positions, as far as motors tell them apart."""
    found: list[float] = []
    tolerance = max(0.2 * _usual_step(values), STEP)
    for value in np.sort(values).tolist():
        if not found or value - found[-1] > tolerance:
            found.append(value)
    return found


def _usual_step(values: NDArray[np.float64]) -> float:
    steps = np.abs(np.diff(values))
    large = steps[steps > 0.1 * steps.max()]
    return float(np.median(large)) if len(large) else 0.0


def _positive(value: Any) -> float | None:
    number = plain(value)
    is_number = isinstance(number, int | float) and np.isfinite(number) and number > 0
    return float(number) if is_number else None
