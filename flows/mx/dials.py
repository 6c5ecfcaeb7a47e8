"""DIALS in the stages of the flow, where the recipe names it: the same in, the same out."""

import time
from collections.abc import Callable
from typing import TypeVar

from flows.mx.blocks import scratch
from flows.mx.found import Symmetry
from flows.mx.recipe import Recipe
from flows.mx.types import Opened, Placed
from flows.reduction import Reduction
from tasks.algorithm import Record
from tasks.errors import DataError
from tasks.mx.dials import find_spots, index, integrate, scale
from tasks.mx.dials.commands import Dials, require, version
from tasks.mx.reflections import Reflections, Spots
from tasks.mx.scale import Scaled

Found = TypeVar("Found")


def spots_by_dials(run: Reduction, opened: Opened) -> Spots:
    """Have DIALS import the sweep and find its spots.

    Raises
    ------
    DataError
        It is not installed, or failed.
    """
    require()
    first = opened.geometry.rotation.first_number
    images = (opened.images.start + first, opened.images.stop - 1 + first)
    search = find_spots.find_spots
    return _timed(run, "find spots", lambda: search(_dials(run), opened.data, images))


def placed_by_dials(run: Reduction, recipe: Recipe, opened: Opened) -> Placed:
    """Have DIALS index the spots that it found, and refine."""
    known = opened.known

    def look() -> Placed:
        refined, share = index.index(
            _dials(run),
            cell=known.cell,
            space_group=known.space_group,
            max_cell=recipe.longest_axis,
        )
        return Placed(refined, share, refined.said)

    try:
        return _timed(run, "index", look)
    except DataError as error:
        return Placed(None, 0.0, ends_at=f"Not indexed. {error}")


def integrated_by_dials(run: Reduction, d_min: float) -> Reflections:
    """Have DIALS integrate what it indexed."""
    return _timed(run, "integrate", lambda: integrate.integrate(_dials(run), d_min))


def scaled_by_dials(run: Reduction, recipe: Recipe) -> tuple[Symmetry, Scaled]:
    """Have DIALS determine the symmetry of what it integrated, and scale."""

    def work() -> Scaled:
        return scale.scale(_dials(run), anomalous=recipe.anomalous, d_min=recipe.resolution)

    scaled = _timed(run, "scale and merge", work)
    group = scaled.space_group
    sentence = f"The space group {group} is that of dials.symmetry."
    return Symmetry(None, None, group, (group,), False, sentence), scaled


def _dials(run: Reduction) -> Dials:
    limits = run.limits()
    return Dials(scratch(run) / "dials", cores=limits.workers * limits.threads)


def _timed(run: Reduction, stage: str, work: Callable[[], Found]) -> Found:
    """Do it, and record that DIALS did."""
    began = time.perf_counter()
    found = work()
    record = Record(
        algorithm=f"mx.{stage.replace(' ', '_')}",
        version="1",
        implementation="dials",
        device="cpu",
        packages={"dials": version() or "unknown"},
        parameters={},
        rejected={"dayseye": "the recipe names DIALS"},
        seconds=time.perf_counter() - began,
    )
    run.record(stage, [record])
    return found
