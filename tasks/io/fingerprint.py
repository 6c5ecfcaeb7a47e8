"""
Tell, cheaply, whether stored data are still the same: a hash of sampled blocks.

A full hash of a 630 GB scan takes minutes; a fingerprint reads at most 2 MiB of it. It covers
content only: sizes, times and paths stand beside it in the catalogue.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import h5py
import numpy as np

from tasks.io.hdf5 import Tree, claims_hdf5, damage_told
from tasks.io.scan import PartReader, readers

SAMPLES = 16
BLOCK = 64 * 1024
SMALL = 1024 * 1024
STACKS = ("exchange/data", "exchange/data_white", "exchange/data_dark", "exchange/theta")
ENTRY_STACKS = ("instrument/detector/data", "instrument/detector/image_key")
ENTRY_ANGLES = ("sample/rotation_angle",)


def fingerprint(path: Path, inner_path: str = "") -> str:
    """
    Fingerprint a dataset: a file, one entry of an HDF5 file, or a folder of images.

    Of a file with several entries only the entry's own data count, so that it stays the same
    when another one is appended: in HDF5 its frames and angles, or, where it has no such, all
    numbers below it.

    Parameters
    ----------
    path
        File or folder.
    inner_path
        Entry inside the file.

    Returns
    -------
    ``blake2b:`` and 32 hexadecimal digits.

    Raises
    ------
    StillBeingWritten, DataError
        The file cannot be opened.
    """
    if path.is_dir():
        if inner_path and (part := _part(path, inner_path)) is not None:
            return _text(_new(part))
        return fingerprint_files(sorted(file for file in path.rglob("*") if file.is_file()), path)
    if claims_hdf5(path):
        with damage_told(path), Tree(path) as tree:
            stacks = _stacks(tree, inner_path)
            if stacks:
                return _text(_hash_datasets(tree, stacks))
    elif inner_path and (part := _part(path, inner_path)) is not None:
        return _text(_new(part))
    return fingerprint_file(path)


def fingerprint_file(path: Path) -> str:
    """Fingerprint a file's bytes: its size and sampled blocks, the first and last among them."""
    digest = _new()
    _add_file(digest, path)
    return _text(digest)


def fingerprint_files(files: Sequence[Path], root: Path) -> str:
    """Fingerprint a series: every name and size, and the content of a sample of its files."""
    digest = _new()
    for file in files:
        digest.update(f"{file.relative_to(root).as_posix()}:{file.stat().st_size};".encode())
    for index in _spread(len(files)):
        _add_file(digest, files[index])
    return _text(digest)


def _new(content: bytes = b"") -> hashlib.blake2b:
    return hashlib.blake2b(content, digest_size=16)


def _part(path: Path, inner_path: str) -> bytes | None:
    """Return the content of one of several datasets of a text or folder, if a reader knows it."""
    for reader in readers().values():
        if isinstance(reader, PartReader):
            part = reader.part(path, inner_path)
            if part is not None:
                return part
    return None


def _text(digest: hashlib.blake2b) -> str:
    return f"blake2b:{digest.hexdigest()}"


def _spread(count: int, samples: int = SAMPLES) -> list[int]:
    """Return evenly spread indices, the first and the last among them."""
    return sorted({round(index) for index in np.linspace(0, count - 1, samples)} if count else [])


def _add_file(digest: hashlib.blake2b, path: Path) -> None:
    size = path.stat().st_size
    digest.update(f"{size};".encode())
    blocks = -(-size // BLOCK)
    with path.open("rb") as file:
        for block in _spread(blocks):
            file.seek(min(block * BLOCK, max(0, size - BLOCK)))
            digest.update(file.read(BLOCK))


def _stacks(tree: Tree, inner_path: str) -> list[h5py.Dataset]:
    names: Iterable[str] = STACKS
    if inner_path:
        names = [f"{inner_path}/{name}" for name in (*ENTRY_STACKS, *ENTRY_ANGLES)]
    found = [dataset for name in names if (dataset := tree.dataset(name)) is not None]
    return found if found or not inner_path else _below(tree, inner_path)


def _below(tree: Tree, inner_path: str) -> list[h5py.Dataset]:
    """Return the arrays of numbers that stand below an entry, not those that it links to."""
    found: list[h5py.Dataset] = []

    def note(_: str, node: object) -> None:
        if isinstance(node, h5py.Dataset) and node.ndim and node.dtype.kind in "iuf":
            found.append(node)

    group = tree.find(inner_path)
    if isinstance(group, h5py.Group):
        group.visititems(note)
    return found


def _hash_datasets(tree: Tree, datasets: list[h5py.Dataset]) -> hashlib.blake2b:
    digest = _new()
    for dataset in datasets:
        digest.update(f"{dataset.name}{dataset.shape}{dataset.dtype.str};".encode())
        if dataset.nbytes <= SMALL:
            digest.update(np.ascontiguousarray(tree.values(dataset)).tobytes())
        else:
            _add_stored(digest, dataset)
    return digest


def _add_stored(digest: hashlib.blake2b, dataset: h5py.Dataset) -> None:
    """Hash sampled stored bytes, still compressed, of a large dataset."""
    if dataset.is_virtual or dataset.external:
        for index in _spread(len(dataset), 3):
            digest.update(np.ascontiguousarray(dataset[index, :1]).tobytes())
        return
    with Path(dataset.file.filename).open("rb") as file:
        for offset, size in _places(dataset):
            file.seek(offset)
            digest.update(file.read(min(size, BLOCK)))


def _places(dataset: h5py.Dataset) -> list[tuple[int, int]]:
    """Return offset and size in the file of sampled pieces of a dataset."""
    if dataset.chunks is None:
        begin = dataset.id.get_offset()
        if begin is None:
            return []
        steps = _spread(-(-dataset.nbytes // BLOCK))
        return [(begin + step * BLOCK, min(BLOCK, dataset.nbytes - step * BLOCK)) for step in steps]
    height = dataset.chunks[0]
    rest = (0,) * (dataset.ndim - 1)
    infos = [
        dataset.id.get_chunk_info_by_coord((index * height, *rest))
        for index in _spread(-(-len(dataset) // height))
    ]
    return [(info.byte_offset, info.size) for info in infos if info.byte_offset is not None]
