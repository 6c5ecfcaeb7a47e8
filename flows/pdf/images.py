"""Detector images to I(Q): what to leave out and to correct, then every frame on the cluster."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.pdf.detector import Response, mean_of, open_frames, respond
from flows.pdf.one_dimensional import wanted
from flows.pdf.recipe import NO_SENSOR, Recipe
from flows.pdf.types import Background, Doubts, Floats, Image, Mask, Opened, Patterns
from flows.reduction import Reduction
from tasks.algorithm import Engine, merge_records
from tasks.errors import DataError
from tasks.io.powder import Frames
from tasks.io.scan import ScanReference
from tasks.pdf.block import BlockResult, DeadFrames, Options, dead_frames, integrate_block
from tasks.pdf.cake import cake
from tasks.pdf.geometry import Geometry, arrays, module_gaps
from tasks.pdf.integrate import pixel_weight
from tasks.pdf.masking import bad_pixels, check_saturation, join_masks, stuck_pixels
from tasks.pdf.response import Sensor

SCRATCH = ".scratch"
_LOOKED_AT = 8  # frames that tell which pixels to leave out
_MOST_FRAMES = 50  # of a block: the bar moves, and a worker that dies loses little
_MOST_MASKED = 0.3  # of the pixels, from which a person should look
_BEAM_AWAY = 0.1  # of the usual beam or intensity
_CAKE = (180, 700)  # azimuths and bins of the picture


@dataclass(frozen=True)
class Looked:
    """Some frames of a scan, and what holds for all of them."""

    count: int
    mean: Floats
    frames: NDArray[Any]
    valid: Mask | None
    saturation: float | None
    monitor: Floats | None
    exposure: float | None
    transmission: float | None


def scratch(run: Reduction) -> Path:
    """Return the folder of what workers read beside the scan."""
    folder = run.folder / SCRATCH
    folder.mkdir(exist_ok=True)
    return folder


def integrate_images(run: Reduction, recipe: Recipe, opened: Opened) -> Patterns:
    """Find what to leave out, then integrate the frames and those of the background."""
    geometry = opened.geometry
    if geometry is None:
        raise ValueError("images have a geometry")
    engine = Engine()
    with engine.active():
        looked = look(opened.data)
        response = respond(opened.calibrations, looked.exposure)
        sensor = sensor_of(recipe, opened.metadata)
        static = _static(opened, geometry, looked, response)
        image = _image(recipe, geometry, looked, response, static, sensor)
    run.record("integrate", engine.records)
    options = _options(run, recipe, geometry, looked, response, image.mask, sensor)
    blocks = _work(run, "Frames to I(Q)", opened.data, opened.shape[0], options)
    intensity = np.concatenate([block.intensity for block in blocks])
    left_out = _left_out(dead_frames(blocks))
    if len(left_out) == len(intensity):
        raise DataError(f"None of the frames can be used. {next(iter(left_out.values()))}")
    return Patterns(
        q=blocks[0].q,
        intensity=intensity,
        sigma=np.concatenate([block.sigma for block in blocks]),
        monitor=looked.monitor,
        exposure=looked.exposure,
        transmission=looked.transmission,
        left_out=left_out,
        background=_background(run, recipe, opened, options),
        image=image,
        doubts=_doubts(image, left_out, response, len(intensity)),
    )


def look(data: ScanReference) -> Looked:
    """Read some frames, evenly spread over the scan; those without beam do not count.

    Raises
    ------
    DataError
        They are overexposed.
    """
    with open_frames(data) as frames:
        count = frames.shape[0]
        chosen = np.unique(np.linspace(0, count - 1, min(count, _LOOKED_AT)).astype(int))
        read = np.concatenate([frames.read(slice(n, n + 1)) for n in chosen])
        none = np.zeros(read.shape[1:], np.bool_) if frames.valid is None else ~frames.valid
        for number, each in zip(chosen, read, strict=True):
            check_saturation(each, none, frames.saturation, f"Frame {number}")
        light = read.mean(axis=(1, 2), dtype=np.float64)
        lit = read[light > _BEAM_AWAY * np.median(light)] if np.median(light) > 0 else read
        return Looked(
            count=count,
            mean=lit.mean(axis=0, dtype=np.float64),
            frames=lit,
            valid=frames.valid,
            saturation=frames.saturation,
            monitor=_monitor(frames),
            exposure=frames.facts.exposure,
            transmission=frames.facts.transmission,
        )


def _monitor(frames: Frames) -> Floats | None:
    """Return the monitor, if it ever counted."""
    monitor = frames.monitor
    if monitor is None or not (np.nan_to_num(monitor) > 0).any():
        return None
    return np.asarray(monitor, np.float64)


def _static(opened: Opened, geometry: Geometry, looked: Looked, response: Response) -> Mask:
    """Join what file, masks, flat field and the detector's kind say to leave out."""
    shape = (opened.shape[1], opened.shape[2])
    masks = [mean_of(each).astype(np.bool_) for each in opened.calibrations["mask"]]
    gaps = module_gaps(geometry, shape)
    marked = None if looked.valid is None else ~looked.valid
    static = join_masks(shape, marked, gaps, response.bad, *masks)
    # photon counters mark their gaps by negative values
    return static | (looked.frames < 0).all(axis=0) if response.dark is None else static


def _image(
    recipe: Recipe,
    geometry: Geometry,
    looked: Looked,
    response: Response,
    static: Mask,
    sensor: Sensor | None,
) -> Image:
    """Find bad pixels, and unroll the mean frame."""
    shape = (static.shape[0], static.shape[1])
    seen = arrays(geometry, shape)
    above = looked.mean if response.dark is None else looked.mean - response.dark.mean
    found = bad_pixels(
        above,
        seen.two_theta,
        static,
        weight=pixel_weight(geometry, shape, recipe.polarisation, response.flat, sensor),
        cutoff=recipe.clip_sigma,
        photons=len(looked.frames) if recipe.uncertainty == "poisson" else None,
        shadow=recipe.mask_beam_stop,
        spots=recipe.mask_spots,
    )
    by_reason: dict[str, Mask] = {"beam stop": found.shadow, "spots": found.spots}
    if recipe.mask_bad_pixels:
        by_reason |= {"dead": found.dead, "hot": found.hot}
        if len(looked.frames) >= 5:
            known = static | found.mask
            by_reason["stuck"] = stuck_pixels(looked.frames, seen.two_theta, known)
    mask = join_masks(shape, static, *by_reason.values())
    drawn = cake(
        looked.mean,
        geometry,
        mask,
        _CAKE,
        polarisation=recipe.polarisation,
        dark=response.dark,
        flat=response.flat,
        sensor=sensor,
    )
    return Image(
        mean=above,
        mask=mask,
        masked_by={
            "given": int(static.sum()),
            **{name: int(each.sum()) for name, each in by_reason.items()},
        },
        cake=drawn.intensity,
        azimuth=np.rad2deg(drawn.chi),
        cake_q=drawn.q,
    )


def sensor_of(recipe: Recipe, metadata: Mapping[str, Any]) -> Sensor | None:
    """Return the sensor that the recipe names, as 'Si 0.45', or else the data."""
    if recipe.sensor == NO_SENSOR:
        return None
    if recipe.sensor is not None:
        material, thickness = recipe.sensor.split()
        return Sensor(material, 1e-3 * float(thickness))
    material, told = metadata.get("sensor_material"), metadata.get("sensor_thickness_mm")
    return Sensor(str(material), 1e-3 * float(told)) if material and told else None


def _options(
    run: Reduction,
    recipe: Recipe,
    geometry: Geometry,
    looked: Looked,
    response: Response,
    mask: Mask,
    sensor: Sensor | None,
) -> Options:
    folder = scratch(run)
    np.save(folder / "mask.npy", mask)
    if response.flat is not None:
        np.save(folder / "flat.npy", response.flat)
    saturated = looked.saturation
    return Options(
        geometry=geometry,
        bins=recipe.bins,
        mask=str(folder / "mask.npy"),
        dark=_save_dark(folder / "dark.npy", response),
        flat="" if response.flat is None else str(folder / "flat.npy"),
        polarisation=recipe.polarisation,
        splitting=recipe.splitting,
        sensor=sensor,
        highest=None if saturated is None else float(np.nextafter(saturated, -np.inf)),
        error_model=recipe.uncertainty,
    )


def _save_dark(path: Path, response: Response) -> str:
    if response.dark is None:
        return ""
    np.save(path, np.stack([response.dark.mean, response.dark.variance]))
    return str(path)


def _work(
    run: Reduction, what: str, data: ScanReference, frames: int, options: Options
) -> list[BlockResult]:
    """Integrate all frames on the cluster, in blocks that keep every worker busy."""
    size = max(1, min(_MOST_FRAMES, -(-frames // (2 * run.limits().workers))))
    orders = [slice(first, min(first + size, frames)) for first in range(0, frames, size)]
    work = partial(integrate_block, data, options=options)
    blocks = list(run.work_through(what, work, orders))
    run.record("integrate", merge_records([r for block in blocks for r in block.records]))
    return sorted(blocks, key=lambda block: block.first)


def _background(
    run: Reduction, recipe: Recipe, opened: Opened, options: Options
) -> Background | None:
    """Integrate the first background that the recipe wants and that there is."""
    for kind in wanted(recipe):
        for reference in opened.calibrations[kind]:
            looked = look(reference)
            response = respond(opened.calibrations, looked.exposure)
            own = replace(options, dark=_save_dark(scratch(run) / "background_dark.npy", response))
            blocks = _work(run, f"{kind.capitalize()} to I(Q)", reference, looked.count, own)
            intensity = np.concatenate([block.intensity for block in blocks])
            sigma = np.concatenate([block.sigma for block in blocks])
            return Background(
                kind=kind,
                intensity=intensity.mean(axis=0),
                sigma=np.sqrt((sigma**2).sum(axis=0)) / len(sigma),
                monitor=None if looked.monitor is None else float(np.nanmean(looked.monitor)),
                exposure=looked.exposure,
                transmission=looked.transmission,
            )
    return None


def _left_out(dead: DeadFrames) -> dict[int, str]:
    """Say which frames had no beam, or are the frame before once more."""
    away = {frame: f"In frame {frame} the beam was away." for frame in dead.dumped}
    still = {
        frame: f"Frame {frame} is the one before once more: the detector stood still."
        for frame in dead.stalled
    }
    return away | still


def _doubts(image: Image, left_out: dict[int, str], response: Response, count: int) -> Doubts:
    doubts: Doubts = {"reading": response.doubts}
    masked = float(image.mask.mean()) - image.masked_by["given"] / image.mask.size
    if masked > _MOST_MASKED:
        doubts["mask"] = (
            f"{masked:.0%} of the pixels are left out beside those of the given masks: look at the "
            "image, and at mask_beam_stop, mask_spots and clip_sigma.",
        )
    if left_out:
        shown = ", ".join(str(frame) for frame in sorted(left_out)[:8])
        more = " ..." if len(left_out) > 8 else ""
        why = next(iter(left_out.values()))
        doubts["frames"] = (
            f"{len(left_out)} of {count} frames are left out ({shown}{more}). {why}",
        )
    return doubts
