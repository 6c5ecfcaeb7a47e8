"""Opening an HDF5 file that grows, while others look into it."""

import time
from pathlib import Path
from typing import Literal

import h5py

PATIENCE = 30.0  # s; a reader holds the lock for as long as it reads
RETRY = 0.02


def open_when_free(path: Path, mode: Literal["a", "r+"]) -> h5py.File:
    """Open a file for writing as soon as no reader holds it."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return h5py.File(path, mode)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
            time.sleep(RETRY)
