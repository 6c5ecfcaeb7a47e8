"""A block of frames from the disk to patterns, on a worker."""

import hashlib
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.algorithm import Engine, Record
from tasks.errors import DataError
from tasks.io.powder import F, Frames, Pattern, ScanReference, open_powder
from tasks.pdf.geometry import Geometry
from tasks.pdf.integrate import (
    AxisUnit,
    ErrorModel,
    Integrator,
    Splitting,
    integrate,
    make_integrator,
)
from tasks.pdf.response import Dark, Sensor
from tasks.resources import Resources

_READ = 128 * 2**20  # bytes at a time; twice that is in memory, for the next are read meanwhile
_SAMPLE = 2**16  # pixels that tell two frames apart
_lock = threading.Lock()  # so that the threads of a worker prepare one integrator, not several


@dataclass(frozen=True)
class Options:
    """
    What a worker needs to integrate frames: numbers and the names of files, never arrays.

    Attributes
    ----------
    geometry
        Where the detector stands.
    mask
        File (.npy) with True for pixels that are left out, (rows, columns).
    dark
        File (.npy) of what to take off, (rows, columns), or of that and its variance,
        (2, rows, columns); empty for none.
    flat
        File (.npy) with the relative yield of the pixels, (rows, columns); empty for none.
    bins, unit, limits, polarisation, splitting, sensor, lowest, highest
        As for `tasks.pdf.integrate.make_integrator`.
    error_model
        Where the uncertainty comes from.
    """

    geometry: Geometry
    mask: str
    dark: str = ""
    flat: str = ""
    bins: int = 2000
    unit: AxisUnit = "q"
    limits: tuple[float, float] | None = None
    polarisation: float | None = 0.99
    splitting: Splitting = "none"
    sensor: Sensor | None = None
    lowest: float | None = None
    highest: float | None = None
    error_model: ErrorModel = "azimuthal"


@dataclass(frozen=True)
class BlockResult:
    """
    What a worker brings back.

    Attributes
    ----------
    first
        Number of the first of the frames.
    q, tth
        Centres of the bins, 1/Å and rad, (bins,).
    intensity, sigma
        (frames, bins); NaN in bins without pixels.
    counts
        Pixels of each bin, the fewest in any of the frames, (bins,).
    totals
        Signal of each frame, (frames,).
    fingerprints
        Equal for frames that are equal, (frames,).
    monitor
        Incident beam of each frame, (frames,); None if the file tells none.
    records
        The algorithms that ran.
    """

    first: int
    q: F
    tth: F
    intensity: F
    sigma: F
    counts: F
    totals: F
    fingerprints: NDArray[np.uint64]
    monitor: F | None
    records: list[Record]


@dataclass(frozen=True)
class DeadFrames:
    """
    Frames that say nothing of the sample, by number.

    Attributes
    ----------
    dumped
        Without beam: their signal or monitor is far below that of the others.
    stalled
        Equal to the frame before, to the last pixel.
    """

    dumped: tuple[int, ...]
    stalled: tuple[int, ...]


def integrate_block(
    source: ScanReference, frames: slice, options: Options, cores: int
) -> BlockResult:
    """
    Read and integrate some frames; done twice it does no harm.

    Parameters
    ----------
    source
        Where the images stand.
    frames
        Which of them, first and one past the last.
    options
        How.
    cores
        How many threads the algorithms may use; one more reads.

    Raises
    ------
    DataError
        The frames cannot be read, or are of another detector.
    """
    engine = Engine(replace(Resources.detect(), cores=cores))
    opened = open_powder(source)
    if isinstance(opened, Pattern):
        raise DataError(f"{source.path} is a pattern already: it has no images to integrate.")
    with engine.active(), opened:
        integrator = integrator_of(options)
        first, last, _ = frames.indices(opened.shape[0])
        parts = [
            (integrate(integrator, images, options.error_model), fingerprints(images))
            for images in _read_ahead(opened, first, last, cores)
        ]
        monitor = None if opened.monitor is None else opened.monitor[first:last]
    if not parts:
        raise DataError(f"{source.path} has no frames from {first} to {last - 1}.")
    intensity = np.concatenate([part.intensity for part, _ in parts])
    return BlockResult(
        first=first,
        q=integrator.q,
        tth=integrator.tth,
        intensity=intensity,
        sigma=np.concatenate([part.sigma for part, _ in parts]),
        counts=np.min([part.counts.min(axis=0) for part, _ in parts], axis=0),
        totals=np.nansum(intensity * integrator.whole[0], axis=1),
        fingerprints=np.concatenate([prints for _, prints in parts]),
        monitor=monitor,
        records=engine.records,
    )


def integrator_of(options: Options) -> Integrator:
    """Return the integrator of some options, kept per process until a file or they change."""
    files = tuple(
        (name, Path(name).stat().st_mtime_ns)
        for name in (options.mask, options.dark, options.flat)
        if name
    )
    with _lock:
        return _prepared(options, files)


@lru_cache(maxsize=2)
def _prepared(options: Options, _files: tuple[tuple[str, int], ...]) -> Integrator:
    dark: F | None = np.load(options.dark) if options.dark else None
    return make_integrator(
        options.geometry,
        np.load(options.mask),
        options.bins,
        unit=options.unit,
        limits=options.limits,
        polarisation=options.polarisation,
        splitting=options.splitting,
        dark=Dark(dark[0], dark[1]) if dark is not None and dark.ndim == 3 else dark,
        flat=np.load(options.flat) if options.flat else None,
        sensor=options.sensor,
        lowest=options.lowest,
        highest=options.highest,
    )


def _read_ahead(opened: Frames, first: int, last: int, cores: int) -> Iterator[NDArray[Any]]:
    """Read frames, the next ones while those before are worked on."""
    size = opened.shape[1] * opened.shape[2] * opened.dtype.itemsize
    step = max(cores, _READ // max(size, 1))
    pieces = [slice(begin, min(begin + step, last)) for begin in range(first, last, step)]
    with ThreadPoolExecutor(1) as reader:
        waiting = [reader.submit(opened.read, piece) for piece in pieces[:1]]
        for piece in [*pieces[1:], None]:
            if not waiting:
                return
            images = waiting.pop().result()
            if piece is not None:
                waiting.append(reader.submit(opened.read, piece))
            yield images


def fingerprints(images: NDArray[Any]) -> NDArray[np.uint64]:
    """
    Return a number for each frame, (frames,), the same for frames that are the same.

    It looks at some 65,000 pixels: noise makes them differ in any two frames with light.
    """
    flat = images.reshape(len(images), -1)
    sample = np.ascontiguousarray(flat[:, :: max(1, flat.shape[1] // _SAMPLE)])
    digests = [hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in sample]
    return np.frombuffer(b"".join(digests), np.uint64)


def dead_frames(blocks: Sequence[BlockResult], share: float = 0.2) -> DeadFrames:
    """
    Find frames without beam and frames that the detector repeated.

    Parameters
    ----------
    blocks
        All of a series, in order.
    share
        A frame has no beam whose signal or monitor is below this share of what the upper quarter
        of the frames reaches.
    """
    numbers = np.concatenate([np.arange(len(b.totals)) + b.first for b in blocks])
    totals = np.concatenate([block.totals for block in blocks])
    monitors = [block.monitor for block in blocks if block.monitor is not None]
    dumped = _far_below(totals, share)
    if len(monitors) == len(blocks) and max(monitor.max() for monitor in monitors) > 0:
        dumped |= _far_below(np.concatenate(monitors), share)  # a dead monitor tells nothing
    prints = np.concatenate([block.fingerprints for block in blocks])
    same = np.zeros(len(prints), np.bool_)
    same[1:] = (prints[1:] == prints[:-1]) & (totals[1:] == totals[:-1])
    stalled = same & ~dumped  # without light frames of a photon counter are alike: that is a dump
    return DeadFrames(tuple(numbers[dumped].tolist()), tuple(numbers[stalled].tolist()))


def _far_below(values: F, share: float) -> NDArray[np.bool_]:
    known = values[np.isfinite(values)]
    usual = float(np.quantile(known, 0.75)) if len(known) else 0.0
    return ~(values > share * usual)
