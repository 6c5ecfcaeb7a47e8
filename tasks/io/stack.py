"""Scans whose frames stand in HDF5 datasets (frame, row, column)."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, cast

import h5py
import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.frames import runs
from tasks.io.hdf5 import Tree
from tasks.io.scan import ScanReference


@dataclass(frozen=True)
class Stack:
    """Some frames of a dataset, by their rising indices."""

    tree: Tree
    dataset: h5py.Dataset | None
    indices: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.indices)

    def read(self, rows: slice, frames: slice = slice(None)) -> NDArray[Any]:
        """Read rows of some frames: (frames, rows, columns), in the dataset's own type."""
        if self.dataset is None:
            return np.empty((0, 0, 0), np.float32)
        height, width = self.dataset.shape[1:]
        span = range(*rows.indices(height))
        indices = self.indices[frames]
        wanted = np.empty((len(indices), len(span), width), self.dataset.dtype)
        for source, target in runs(indices):
            self._read_into(wanted, source, target, slice(span.start, span.stop, span.step))
        return wanted

    def _read_into(self, wanted: NDArray[Any], source: slice, target: slice, rows: slice) -> None:
        dataset = cast(h5py.Dataset, self.dataset)
        if wanted[target].size == 0:
            return
        try:
            dataset.read_direct(wanted, np.s_[source, rows, :], np.s_[target, :, :])
        except (OSError, RuntimeError, KeyError) as error:
            place = f"{dataset.name}, frames {source.start} to {source.stop - 1}"
            raise self.tree.damaged(place, error) from error


@dataclass
class StackScan:
    """A `tasks.io.scan.Scan` made of stacks of one tree."""

    reference: ScanReference
    tree: Tree
    data: Stack
    white: Stack
    dark: Stack
    angles: NDArray[np.float64]
    positions: NDArray[np.float64]
    flat_positions: NDArray[np.float64]
    expected_projections: int | None
    lost_frames: tuple[int, ...]
    angles_matched: bool
    pixel_size: float | None
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def _stored(self) -> h5py.Dataset:
        """The projections, or in a calibration what there is instead."""
        stacks = (self.data.dataset, self.white.dataset, self.dark.dataset)
        return next(dataset for dataset in stacks if dataset is not None)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of projections, rows and columns."""
        rows, columns = self._stored.shape[1:]
        return len(self.data), int(rows), int(columns)

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """Storage chunks of the projections."""
        return self._stored.chunks

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored projections."""
        return self._stored.dtype

    @property
    def n_flats(self) -> int:
        """Number of flats in the file."""
        return len(self.white)

    @property
    def n_darks(self) -> int:
        """Number of darks in the file."""
        return len(self.dark)

    def projections(self, rows: slice, frames: slice = slice(None)) -> NDArray[Any]:
        """Read raw projections (frames, rows, columns)."""
        return self.data.read(rows, frames)

    def flats(self, rows: slice) -> NDArray[Any]:
        """Read the flat fields (flats, rows, columns)."""
        return self.white.read(rows)

    def darks(self, rows: slice) -> NDArray[Any]:
        """Read the darks (darks, rows, columns)."""
        return self.dark.read(rows)

    def close(self) -> None:
        """Close the files."""
        self.tree.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def calibration(
    reference: ScanReference, tree: Tree, white: Stack, dark: Stack, metadata: dict[str, Any]
) -> StackScan:
    """Make a scan of flats and darks alone, which serves other scans: it has no projections."""
    nothing = np.empty(0)
    return StackScan(
        reference=reference,
        tree=tree,
        data=Stack(tree, None, np.empty(0, np.intp)),
        white=white,
        dark=dark,
        angles=nothing,
        positions=nothing,
        flat_positions=np.zeros(len(white)),
        expected_projections=None,
        lost_frames=(),
        angles_matched=True,
        pixel_size=None,
        metadata=metadata,
    )


def check_stack(tree: Tree, dataset: h5py.Dataset, like: h5py.Dataset | None = None) -> None:
    """
    Check that a dataset is a stack of frames, as large as those of another one.

    Raises
    ------
    DataError
        It has other dimensions, another frame size, or holds no numbers.
    """
    where = f"{tree.path} at '{dataset.name}'"
    if dataset.ndim != 3 or dataset.dtype.kind not in "iuf":
        raise DataError(
            f"{where} has the shape {dataset.shape} and the type {dataset.dtype}, where numbers "
            f"with the dimensions (frame, row, column) belong: check how the scan was written."
        )
    if 0 in dataset.shape[1:]:
        raise DataError(f"{where} holds frames without pixels ({dataset.shape}).")
    if like is not None and dataset.shape[1:] != like.shape[1:]:
        raise DataError(
            f"{where} holds frames of {dataset.shape[1]} x {dataset.shape[2]} pixels but the "
            f"projections ('{like.name}') have {like.shape[1]} x {like.shape[2]}: "
            f"they were taken with another detector setting. Take them again."
        )
