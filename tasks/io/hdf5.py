"""Open HDF5 files without disturbing who writes them, and say in a sentence what is wrong."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from types import TracebackType
from typing import Any, Self

import h5py
import hdf5plugin  # registers the compression filters; h5py finds them by itself then
import numpy as np
from h5py import h5l
from numpy.typing import NDArray

from tasks.errors import DataError, StillBeingWritten

SIGNATURE = b"\x89HDF\r\n\x1a\n"
SUFFIXES = {".h5", ".hdf5", ".hdf", ".he5", ".nxs", ".nx", ".nexus"}
MAX_LINKS = 16
MOST_NAMES = 64
FILTERS = hdf5plugin.PLUGIN_PATH

Node = h5py.Group | h5py.Dataset


def claims_hdf5(path: Path) -> bool:
    """Whether a file is HDF5 by its first bytes or claims to be by its name."""
    if not path.is_file():
        return False
    if path.suffix.lower() in SUFFIXES:
        return True
    with path.open("rb") as file:
        return file.read(len(SIGNATURE)) == SIGNATURE


def is_locked(path: Path) -> bool:
    """
    Whether a writer holds the HDF5 lock of a file.

    The lock is tried and given back at once. The file is then read without any lock, since a
    reader's lock would make the acquisition fail when it opens the file again to append.
    """
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(file, fcntl.LOCK_UN)  # within microseconds, for the reason above
    except BlockingIOError:
        return True
    except OSError as error:
        if error.errno in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
            return False  # this file system has no locks
        raise
    finally:
        os.close(file)
    return False


def open_file(path: Path) -> h5py.File:
    """
    Open an HDF5 file read-only; one that grows under a SWMR writer has ``swmr_mode`` set.

    Raises
    ------
    StillBeingWritten
        A writer holds the file.
    DataError
        It is not there, not HDF5, empty or cut short; the sentence says which.
    """
    try:
        if is_locked(path):
            raise StillBeingWritten(f"{path} is still held by the program that writes it.")
        return h5py.File(path, "r", locking=False)
    except OSError as error:
        if "already open for write" in str(error):
            return _open_growing(path)
        raise explain(path, error) from error


def _open_growing(path: Path) -> h5py.File:
    try:
        return h5py.File(path, "r", locking=False, swmr=True)
    except OSError as error:
        raise StillBeingWritten(
            f"{path} was not closed by the program that writes it. If that program has crashed, "
            f"run 'h5clear -s' on the file."
        ) from error


def explain(path: Path, error: BaseException) -> DataError:
    """Turn what HDF5 or the system says about a file into a sentence for its user."""
    if isinstance(error, FileNotFoundError) or not path.exists():
        return DataError(f"{path} is not there: it was removed, renamed or never written.")
    if isinstance(error, PermissionError):
        return DataError(f"{path} cannot be read: its permissions keep the platform's user out.")
    size = path.stat().st_size
    if size == 0:
        return DataError(f"{path} is empty (0 bytes): the acquisition wrote nothing into it.")
    if isinstance(error, OSError) and "truncated file" in str(error):
        return DataError(
            f"{path} is cut short: the HDF5 file says that it is {_stored_size(error)} bytes long, "
            f"but only {size} are there. Copy it again, or repeat the scan."
        )
    with path.open("rb") as file:
        begin = file.read(32)
    if not begin.startswith(SIGNATURE):
        return DataError(
            f"{path} is not an HDF5 file: it begins with {_readable(begin)}. "
            f"Check what the acquisition writes under this name."
        )
    return DataError(f"{path} is a damaged HDF5 file ({error}). Copy it again, or repeat the scan.")


def _stored_size(error: OSError) -> str:
    return str(error).rsplit("stored_eof = ", 1)[-1].split(")")[0]


def _readable(begin: bytes) -> str:
    if all(32 <= byte < 127 or byte in b"\t\r\n" for byte in begin):
        return f"the text {begin.decode('ascii').strip()!r}"
    return f"the bytes {begin[:8].hex(' ')}"


@dataclass(frozen=True)
class _Broken:
    """An external link whose target file is not there."""

    target: Path


@contextmanager
def damage_told(path: Path) -> Generator[None]:
    """Turn what HDF5 raises inside, at whatever call, into a sentence about the file."""
    try:
        yield
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        if not _comes_from_hdf5(error):
            raise
        raise DataError(
            f"{path} cannot be read ({error}): the file is damaged. "
            f"Copy it again, or repeat the scan."
        ) from error


def _comes_from_hdf5(error: BaseException) -> bool:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and "h5py" in Path(trace.tb_frame.f_code.co_filename).parts


@dataclass(frozen=True)
class _Seen:
    """A group that was met (held, so that its id stays its own), and what is known of its members.

    ``names`` is None where there are too many to list.
    """

    group: h5py.Group
    names: frozenset[str] | None
    members: dict[str, Node] = field(default_factory=dict[str, Node])


def _names(group: h5py.Group) -> frozenset[str] | None:
    try:
        return frozenset(group) if len(group) <= MOST_NAMES else None
    except (OSError, RuntimeError, KeyError):
        return None  # damaged: the step to a member will say where


class Tree:
    """
    One HDF5 file with the files that it links to, all opened read-only.

    Links are followed here rather than by HDF5, so that a missing or damaged target is known by
    name, and a circle of links ends in a sentence.

    Attributes
    ----------
    linked, missing
        The link targets met so far that are there, and that are not.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files: dict[Path, h5py.File] = {}
        self._seen: dict[int, _Seen] = {}
        self.linked: set[Path] = set()
        self.missing: set[Path] = set()
        self.root = self._open(path)

    def _open(self, path: Path) -> h5py.File:
        key = path.resolve()
        if key not in self._files:
            self._files[key] = open_file(path)
        return self._files[key]

    @property
    def being_written(self) -> bool:
        """Whether a SWMR writer holds one of the files."""
        return any(file.swmr_mode for file in self._files.values())

    def find(self, path: str, start: h5py.Group | None = None) -> Node | None:
        """
        Find a group or dataset by its path; None if it or a link's target is not there.

        Raises
        ------
        DataError
            Links lead in a circle, or a link's target is damaged.
        """
        found = self._walk(self.root if start is None else start, path, links=0)
        return None if isinstance(found, _Broken) else found

    def _walk(self, node: Node, path: str, links: int) -> Node | _Broken | None:
        if links > MAX_LINKS:
            raise DataError(
                f"{self.path} holds links that lead in a circle (at '{path}'): mend the links."
            )
        for name in filter(None, path.split("/")):
            if not isinstance(node, h5py.Group):
                return None
            step = self._step(node, name, links)
            if step is None or isinstance(step, _Broken):
                return step
            node = step
        return node

    def _step(self, group: h5py.Group, name: str, links: int) -> Node | _Broken | None:
        """Go to a member of a group; most questions are about what is not there, or known."""
        seen = self._seen.get(id(group))
        if seen is None:
            seen = self._seen[id(group)] = _Seen(group, _names(group))
        if name in seen.members:
            return seen.members[name]
        if seen.names is not None and name not in seen.names:
            return None
        found = self._first_step(group, name, links)
        if isinstance(found, h5py.Group | h5py.Dataset):
            seen.members[name] = found
        return found

    def _first_step(self, group: h5py.Group, name: str, links: int) -> Node | _Broken | None:
        try:
            kind, value = self._link(group, name)
            if kind == h5l.TYPE_SOFT:
                target = os.fsdecode(value)
                start = group.file if target.startswith("/") else group
                return self._walk(start, target, links + 1)
            if kind == h5l.TYPE_EXTERNAL:
                return self._follow(group, os.fsdecode(value[0]), os.fsdecode(value[1]), links)
            child = group[name] if kind == h5l.TYPE_HARD else None
        except (OSError, RuntimeError, KeyError) as error:
            raise self.damaged(f"{group.name}/{name}", error) from error
        return child if isinstance(child, h5py.Group | h5py.Dataset) else None

    @staticmethod
    def _link(group: h5py.Group, name: str) -> tuple[int | None, Any]:
        key = name.encode()
        if not group.id.links.exists(key):
            return None, None
        kind = group.id.links.get_info(key).type
        return kind, None if kind == h5l.TYPE_HARD else group.id.links.get_val(key)

    def _follow(self, group: Node, filename: str, inner: str, links: int) -> Node | _Broken | None:
        target = resolve(Path(group.file.filename), filename)
        if not target.is_file():
            self.missing.add(target)
            return _Broken(target)
        self.linked.add(target)
        return self._walk(self._open(target), inner, links + 1)

    def target(self, dataset: h5py.Dataset, filename: str, inner: str) -> h5py.Dataset | None:
        """Find what a virtual dataset maps from another file; None if it is not there."""
        found = self._follow(dataset, filename, inner, links=0)
        return found if isinstance(found, h5py.Dataset) else None

    def sources(self, dataset: h5py.Dataset) -> None:
        """Note the files behind a virtual or externally stored dataset as linked or missing."""
        names: set[str] = {file for file, *_ in dataset.external or ()}
        if dataset.is_virtual:
            names |= {source.file_name for source in dataset.virtual_sources()}
        for name in names - {"."}:
            if "%" in name:
                continue  # a pattern of an unlimited series: the frame count tells what is there
            target = resolve(Path(dataset.file.filename), name)
            (self.linked if target.is_file() else self.missing).add(target)

    def dataset(self, path: str, start: h5py.Group | None = None) -> h5py.Dataset | None:
        """Find a dataset; None if there is none of that name."""
        node = self.find(path, start)
        return node if isinstance(node, h5py.Dataset) else None

    def damaged(self, where: str, error: BaseException) -> DataError:
        """Tell that the file cannot be read at some place in it."""
        return DataError(
            f"{self.path} cannot be read at '{where}' ({error}): the file is damaged. "
            f"Copy it again, or repeat the scan."
        )

    def values(self, dataset: h5py.Dataset, *selection: Any) -> NDArray[Any]:
        """
        Read from a dataset.

        Raises
        ------
        DataError
            The bytes cannot be read or decompressed.
        """
        try:
            return np.asarray(dataset[selection or ()])
        except (OSError, RuntimeError, KeyError, ValueError, MemoryError) as error:
            raise self.damaged(str(dataset.name), error) from error

    def close(self) -> None:
        """Close all files."""
        for file in self._files.values():
            file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def resolve(source: Path, filename: str) -> Path:
    """
    Find the file that a link names, as HDF5 does.

    A relative name counts from the folder of the file that holds the link. An absolute one that is
    not there (it names the acquisition's own disk) is looked for beside that file.
    """
    beside = source.parent / PureWindowsPath(filename).name
    target = source.parent / filename
    if not target.is_file() and (Path(filename).is_absolute() or "\\" in filename):
        return beside
    return target
