"""A place for copies: any file system that fsspec knows, with a mark that shows it is ours."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from catalog.custody.hashing import PIECE, hasher, pieces
from catalog.errors import CatalogError

MARK = ".dayseye-archive"


def address_of(given: str) -> str:
    """Return the one form of an address under which the catalogue knows a place."""
    for scheme in ("file://", "local://"):
        given = given.removeprefix(scheme)
    return given.rstrip("/")


class Place:
    """Somewhere that copies lie.

    Parameters
    ----------
    address : str
        A folder, or an address that fsspec understands (``s3://bucket/prefix``).
    options : mapping, optional
        What that file system needs, such as ``endpoint_url``; it is kept nowhere.

    Raises
    ------
    CatalogError
        There is no such kind of file system here.
    """

    def __init__(self, address: str, options: Mapping[str, str] | None = None) -> None:
        try:
            system, root = url_to_fs(address, **(options or {}))
        except (ImportError, ValueError) as error:
            raise CatalogError(f"The place {address} cannot be used: {error}.") from None
        self._system = system
        self._root = root.rstrip("/")
        self.is_local = isinstance(system, LocalFileSystem)
        self.address = address_of(address)

    def open_for_copies(self, *, is_new: bool) -> Self:
        """Check that the place is there and ours, so that a disk that is not mounted is noticed.

        Parameters
        ----------
        is_new : bool
            Whether the catalogue knows no copy there yet: then the place is marked.

        Raises
        ------
        CatalogError
            The place is missing, or it lost its mark.
        """
        if self.is_local and not Path(self._root).is_dir():
            raise CatalogError(
                f"The place of the copies, {self.address}, is not there: mount it, or make the "
                "folder if it is new."
            )
        if not self._system.exists(self._path(MARK)):
            if not is_new:
                raise CatalogError(
                    f"{self.address} does not look like our archive (there is no {MARK}), though "
                    "the catalogue knows copies there: is the right disk mounted?"
                )
            self._system.pipe_file(self._path(MARK), b"Copies made by Dayseye.\n")
        return self

    def _path(self, path: str) -> str:
        return f"{self._root}/{path}"

    def size(self, path: str) -> int | None:
        """Return a copy's size in bytes; None where it is not there."""
        try:
            return int(self._system.info(self._path(path))["size"])
        except FileNotFoundError:
            return None

    def digest(self, path: str, algorithm: str) -> str:
        """Read a copy, whole, and return its digest."""
        self._system.invalidate_cache()
        if self.is_local:
            _drop_from_cache(self._path(path))
        digest = hasher(algorithm)
        with self._system.open(self._path(path), "rb") as file:
            while piece := file.read(PIECE):
                digest.update(piece)
        return digest.hexdigest()

    def put(self, source: Path, path: str, algorithm: str, tag: str) -> tuple[int, str]:
        """Copy a file, and return the size and the digest of what was read.

        On a disk the copy gets its name when it is whole and written through, and what a crash
        left under the same ``tag`` is written over; an object store shows whole objects alone.
        """
        digest, size = hasher(algorithm), 0
        with _Writing(self._system, self._path(path), tag if self.is_local else None) as file:
            for piece in pieces(source):
                digest.update(piece)
                file.write(piece)
                size += len(piece)
        return size, digest.hexdigest()

    def remove(self, path: str) -> None:
        """Remove a copy; it may be gone already."""
        if self._system.exists(self._path(path)):
            self._system.rm_file(self._path(path))


class _Writing:
    """A file of the place while it is written."""

    def __init__(self, system: Any, path: str, tag: str | None) -> None:
        self._system, self._path, self._is_local = system, path, tag is not None
        self._folder, _, name = path.rpartition("/")
        self._partial = f"{self._folder}/.{name}.{tag}.partial"

    def __enter__(self) -> Any:
        self._system.makedirs(self._folder, exist_ok=True)
        self._file = self._open()
        return self._file

    def _open(self) -> Any:
        if self._is_local:
            return Path(self._partial).open("wb")
        return self._system.open(self._path, "wb", autocommit=False)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if not self._is_local:
            self._end_object(failed=kind is not None)
            return
        with self._file:
            if kind is None:
                self._file.flush()
                os.fsync(self._file.fileno())
        if kind is not None:
            Path(self._partial).unlink()
            return
        Path(self._partial).rename(self._path)
        _write_through(self._folder)

    def _end_object(self, *, failed: bool) -> None:
        self._file.close()
        if failed:
            self._file.discard()
        else:
            self._file.commit()


def _write_through(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _drop_from_cache(path: str) -> None:
    """Let the next read come from the disk and not from the machine's memory."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
