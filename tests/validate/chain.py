"""The project's own way from counts to slices, as the flow walks it."""

import os
from pathlib import Path

import numpy as np
import pytest

from tasks.ct.flat_field import minus_log, normalise
from tasks.ct.stripes import remove_stripes
from tasks.ct.zingers import remove_zingers

CHECKOUT = Path(__file__).parents[2]


def sinograms_of(counts):
    n = len(counts.projections)
    transmission = normalise(
        counts.projections,
        counts.flats,
        counts.darks,
        counts.flat_positions,
        (np.arange(n) + 0.5) / n,
    )
    absorbance = minus_log(remove_zingers(transmission))
    return remove_stripes(np.ascontiguousarray(absorbance.transpose(1, 0, 2)))


def real_data(name):
    """Find a file of real data, or skip the test and say why."""
    folder = Path(os.environ.get("DAYSEYE_DATA", CHECKOUT.parent / "shared" / "data"))
    path = folder / name
    if not path.exists():
        pytest.skip(f"no real data: {path} is missing; set DAYSEYE_DATA to the folder that has it")
    return path
