"""Intensities of a sweep: widths and profiles from some blocks, then every block on the cluster."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flows.mx.blocks import Block, blocks_of, scratch
from flows.mx.dials import integrated_by_dials
from flows.mx.recipe import Recipe
from flows.mx.types import Doubts, Integrated, Opened, Placed, Spotted
from flows.reduction import Reduction
from tasks.errors import DataError
from tasks.io.diffraction import Geometry, Images, open_images
from tasks.mx.beam_stop import shadow_limit
from tasks.mx.crystal import Crystal
from tasks.mx.geometry import resolution
from tasks.mx.image_figures import spots_resolution
from tasks.mx.integrate import to_observations
from tasks.mx.integrate_block import integrate_block
from tasks.mx.mosaicity import Mosaicity, first_guess, margin, reflecting_range
from tasks.mx.profile import Learned, ProfileModel, join_profiles, learn_profiles
from tasks.mx.reflections import Flag, Reflections

_ARRAYS = ("z", "tables", "smooth")  # of a profile model
_TELLING = 8  # blocks, evenly over the sweep, that tell widths and profiles
_WHOLE = 20  # images of these at least: only what lies inside of a block as a whole tells
_BEYOND = 0.75  # of the spots' resolution: weak reflections go further than spots do
_POOR = 0.2  # of the reflections, without an intensity that counts


@dataclass(frozen=True)
class Terms:
    """What holds for all blocks of a sweep; small and picklable."""

    geometry: Geometry
    crystal: Crystal
    mosaicity: Mosaicity
    d_min: float
    dark: tuple[int, ...] = ()
    model: str = ""
    d_max: float = math.inf


def integrate(
    run: Reduction, recipe: Recipe, opened: Opened, spotted: Spotted, placed: Placed | None
) -> Integrated | None:
    """Integrate all reflections that the crystal predicts; None where it is not placed."""
    if placed is None or placed.refined is None:
        return None
    refined = placed.refined
    d_min = limit_of(recipe, refined.geometry, spotted)
    guess = first_guess(spotted.spots, refined.geometry)
    if recipe.program == "dials":
        return _integrated(integrated_by_dials(run, d_min), refined.geometry, guess, d_min)
    terms = Terms(refined.geometry, refined.crystal, guess, d_min, spotted.dark)
    blocks, some = blocks_of(run, opened), telling_blocks(run, opened)
    try:
        widths = list(run.work_through("Widths", partial(measure_widths, terms=terms), some))
        terms = replace(terms, mosaicity=Mosaicity.join(widths))
        learned = list(run.work_through("Profiles", partial(learn, terms=terms), some))
        model = join_profiles(sorted(learned, key=lambda each: each.z), terms.geometry)
    except DataError as error:
        return Integrated(None, None, guess, d_min, ends_at=f"Not integrated: {error}")
    path = save_model(scratch(run) / "profiles.npz", model)
    shadow = shadow_limit(spotted.figures, opened.geometry, opened.geometry.detector.gain)
    terms = replace(terms, model=path, d_max=shadow)
    parts = list(run.work_through("Intensities", partial(integrate_one, terms=terms), blocks))
    return _integrated(Reflections.join(parts), terms.geometry, terms.mosaicity, d_min)


def telling_blocks(run: Reduction, opened: Opened) -> list[Block]:
    """Return blocks, evenly over the sweep, whose strong reflections tell widths and profiles."""
    blocks = blocks_of(run, opened, _WHOLE)
    some = np.linspace(0, len(blocks) - 1, min(len(blocks), _TELLING))
    return [blocks[int(at)] for at in some]


def _integrated(
    reflections: Reflections, geometry: Geometry, mosaicity: Mosaicity, d_min: float
) -> Integrated:
    observations = to_observations(reflections, geometry)
    doubts = _doubts(reflections, len(observations))
    return Integrated(reflections, observations, mosaicity, d_min, doubts=doubts)


def limit_of(recipe: Recipe, geometry: Geometry, spotted: Spotted) -> float:
    """Return the resolution to integrate to: the detector's, or somewhat beyond the spots'."""
    rows, columns = geometry.detector.shape
    corners = np.array([[0, 0], [columns, 0], [0, rows], [columns, rows]], dtype=np.float64)
    finest = float(resolution(geometry, corners).min())
    if recipe.resolution is not None:
        return max(finest, recipe.resolution)
    seen = spots_resolution(geometry, spotted.spots.xyz[:, :2])
    return max(finest, _BEYOND * seen) if np.isfinite(seen) else finest


def measure_widths(block: Block, cores: int = 1, *, terms: Terms) -> Mosaicity:
    """Measure the widths of a block's strong reflections; runs on a worker."""
    with open_images(block.data) as images:
        return reflecting_range(
            np.stack(list(one_by_one(images, block.first, block.stop, terms.dark))),
            block.first,
            terms.geometry,
            terms.crystal,
            terms.mosaicity,
            images.mask,
            images.saturation,
            terms.d_min,
        )


def learn(block: Block, cores: int = 1, *, terms: Terms) -> Learned:
    """Learn the profiles of a block's strong reflections; runs on a worker."""
    with open_images(block.data) as images:
        return learn_profiles(
            one_by_one(images, block.first, block.stop, terms.dark),
            block.first,
            terms.geometry,
            terms.crystal,
            terms.mosaicity,
            images.mask,
            images.saturation,
            terms.d_min,
            (block.first, block.stop),
        )


def integrate_one(block: Block, cores: int = 1, *, terms: Terms) -> Reflections:
    """Integrate the reflections whose centres lie in a block; runs on a worker."""
    model = load_model(Path(terms.model), terms)
    with open_images(block.data) as images:
        reach = margin(terms.mosaicity, terms.geometry)
        first = max(0, block.first - reach)
        return integrate_block(
            one_by_one(images, first, min(images.shape[0], block.stop + reach), terms.dark),
            first,
            terms.geometry,
            terms.crystal,
            model,
            images.mask,
            images.saturation,
            block=(block.first, block.stop),
            d_max=terms.d_max,
        )


def one_by_one(
    images: Images, first: int, stop: int, dark: Sequence[int]
) -> Iterator[NDArray[np.int32]]:
    """Read images one after the other, so that memory holds one; dark ones count as lost."""
    for number in range(first, stop):
        if number in dark:
            yield np.full(images.shape[1:], -1, np.int32)
        else:
            yield images.read(slice(number, number + 1))[0]


def save_model(path: Path, model: ProfileModel) -> str:
    """Put profiles where all workers read them."""
    arrays = {name: getattr(model, name) for name in _ARRAYS}
    np.savez(path, reflections=model.reflections, **arrays)
    return str(path)


def load_model(path: Path, terms: Terms) -> ProfileModel:
    """Read profiles that `save_model` wrote."""
    with np.load(path, allow_pickle=False) as kept:
        arrays = {name: kept[name] for name in _ARRAYS}
        reflections = int(kept["reflections"])
    return ProfileModel(terms.mosaicity, terms.d_min, reflections=reflections, **arrays)


def _doubts(reflections: Reflections, observed: int) -> Doubts:
    said: list[str] = []
    share = 1 - observed / max(len(reflections), 1)
    if share > _POOR:
        overloaded = float(reflections.has(Flag.OVERLOADED).mean())
        neighbours = float(reflections.has(Flag.NEIGHBOUR).mean())
        said.append(
            f"{share:.0%} of the reflections have no intensity that counts ({overloaded:.0%} are "
            f"overloaded, {neighbours:.0%} overlap with neighbours): attenuate the beam, turn in "
            "finer steps, or move the detector away."
        )
    return {"integration": tuple(said)}
