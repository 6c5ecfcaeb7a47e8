"""The volume, slab by slab: workers reconstruct, this process is the only one that writes."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from distributed import Client

from flows.cluster import worker_limits
from flows.ct.recipe import Recipe
from flows.ct.types import CM_PER_M, CheckedScan, Found, Volume
from flows.progress import Progress, chunks_in_order
from flows.reduction import Reduction
from tasks.algorithm import Record, merge_records
from tasks.ct.quality import noise_between
from tasks.ct.slab import SlabOrder, SlabResult, reconstruct_slab, slab_bytes
from tasks.io.nxtomoproc import VolumeWriter, read_slice

MOST_ROWS = 32
SHARE_OF_WORKER = 0.4  # of a worker's memory for one slab: the rest is the interpreter's and dask's
MARGIN = 0.05  # by which uint16 limits exceed what a few slices show


def write_volume(
    run: Reduction, recipe: Recipe, scan: CheckedScan, found: Found, client: Client
) -> Volume:
    """Reconstruct all rows on the cluster and write them into one file.

    Parameters
    ----------
    run : Reduction
        The attempt.
    recipe : Recipe
        Its parameters.
    scan : CheckedScan
        What to read.
    found : Found
        The rotation axis.
    client : distributed.Client
        The cluster.

    Returns
    -------
    Volume
        Where it is, and its noise.
    """
    limits = worker_limits(client)
    orders = slab_orders(run, recipe, scan, found, limits.memory)
    path = run.output(f"{_stem(run)}_volume.h5", "volume", "application/x-hdf5")
    shape = (scan.rows[1] - scan.rows[0], scan.shape[2], scan.shape[2])
    units = "1/cm" if scan.pixel_size else "1/pixel"
    with VolumeWriter(
        path,
        shape,
        scan.pixel_size,
        recipe.model_dump(mode="json"),
        found.axis.column,
        dtype=recipe.output_type,
        limits=_limits(orders, limits.threads) if recipe.output_type == "uint16" else None,
        units=units,
        parameters=_parameters(run, scan, found),
        title=str(scan.metadata.get("title", run.claim.dataset_name)),
        source=scan.sources.scan.path,
    ) as writer:
        records: list[Record] = []
        bar = Progress(f"Slabs of {run.claim.dataset_name}", len(orders))
        ahead = 2 * limits.workers
        work = partial(reconstruct_slab, cores=limits.threads)
        for result in chunks_in_order(client, work, orders, ahead):
            run.check_fence()
            _take(writer, result, scan.rows[0])
            records = merge_records([*records, *result.records])
            bar.step()
    run.record("reconstruct volume", records)
    return Volume(path, shape, units, _noise(path, shape[0]))


def slab_orders(
    run: Reduction, recipe: Recipe, scan: CheckedScan, found: Found, memory: int
) -> list[SlabOrder]:
    """Cut the rows into slabs that fit into a worker's memory.

    Parameters
    ----------
    run, recipe, scan, found
        As for `write_volume`.
    memory : int
        Memory limit of a worker, in bytes.

    Returns
    -------
    list of SlabOrder
        In order of rows.
    """
    rows = _rows_per_slab(scan, SHARE_OF_WORKER * memory)
    pixel_size_cm = scan.pixel_size * CM_PER_M if scan.pixel_size else 1.0
    return [
        SlabOrder(
            sources=scan.sources,
            first=first,
            last=min(first + rows, scan.rows[1]),
            axis=found.axis,
            pixel_size_cm=pixel_size_cm,
            filter=recipe.filter,
            stripe_removal=recipe.stripe_removal,
            target=str(run.folder / f"slab-{first:05d}.float32"),
        )
        for first in range(*scan.rows, rows)
    ]


def _rows_per_slab(scan: CheckedScan, memory: float) -> int:
    """Return how many rows fit; at least one, since less cannot be reconstructed."""
    fixed, one = (slab_bytes(scan.shape[0], scan.shape[2], rows) for rows in (0, 1))
    return max(1, min(MOST_ROWS, int((memory - fixed) / (one - fixed))))


def _take(writer: VolumeWriter, result: SlabResult, first_row: int) -> None:
    """Copy a slab into the volume and delete it; done twice it does no harm."""
    writer.write(result.order.first - first_row, result.slices())
    Path(result.order.target).unlink()


def _limits(orders: list[SlabOrder], cores: int) -> tuple[float, float]:
    """Look at the first, middle and last row for the range of attenuation that uint16 spans."""
    rows = {orders[0].first, orders[len(orders) // 2].first, orders[-1].last - 1}
    low, high = np.inf, -np.inf
    for row in sorted(rows):
        order = replace(orders[0], first=row, last=row + 1, target=orders[0].target + ".limits")
        slices = reconstruct_slab(order, cores).slices()
        below, above = np.percentile(slices, (0.01, 99.99))
        low, high = min(low, float(below)), max(high, float(above))
        Path(order.target).unlink()
    margin = MARGIN * (high - low)
    return low - margin, high + margin


def _parameters(run: Reduction, scan: CheckedScan, found: Found) -> dict[str, object]:
    sought = found.sought
    return {
        "axis_confidence": sought.confidence if sought else 1.0,
        "axis_set_by": "search" if sought else "person",
        "axis_slope": found.axis.slope,
        "axis_row": found.axis.row,
        "projections": scan.shape[0],
        "left_out": list(found.left_out),
        "warnings": [*scan.warnings, *found.warnings],
        "run": str(run.claim.run_id),
    }


def _noise(path: Path, height: int) -> float:
    middle = height // 2
    beside = middle + 1 if middle + 1 < height else max(0, middle - 1)
    return noise_between(read_slice(path, 0, middle), read_slice(path, 0, beside))


def _stem(run: Reduction) -> str:
    return run.claim.output_folder.parent.name
