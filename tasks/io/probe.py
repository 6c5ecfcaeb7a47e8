"""A cheap look at what has landed: which datasets a file or folder holds, and what they lack."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tasks.errors import DataError
from tasks.io.entry import Entry
from tasks.io.hdf5 import Tree, claims_hdf5, damage_told
from tasks.io.scan import GrowingReader, readers_of

__all__ = ["Entry", "UnknownLayoutError", "probe"]


class UnknownLayoutError(DataError):
    """The file opens but holds nothing that an installed reader knows."""


def probe(
    path: Path, known: Mapping[str, Entry] | None = None, technique: str | None = None
) -> list[Entry]:
    """
    List the datasets in a file or TIFF folder without reading their data.

    Parameters
    ----------
    path
        A file, or the folder of a TIFF series.
    known
        Entries of the file, by inner path, that need no second look since it has only grown.
    technique
        Only formats of this technique are tried; None, or one that has none: those of all.

    Returns
    -------
    One entry per dataset, in the file's order; never empty.

    Raises
    ------
    StillBeingWritten
        A writer holds the file or a file that it links to.
    UnknownLayoutError
        The file is whole but its layout is not one that a reader knows.
    DataError
        It is not there, not what its name says, empty, cut short or damaged.
    """
    if not path.exists():
        raise DataError(f"{path} is not there: it was removed, renamed or never written.")
    for reader in readers_of(technique).values():
        is_known = known is not None and any(each.format == reader.name for each in known.values())
        if known and is_known and isinstance(reader, GrowingReader):
            entries = reader.entries_beyond(path, known)
        else:
            entries = reader.entries(path)
        if entries:
            return entries
    raise UnknownLayoutError(_unknown(path, technique))


def _unknown(path: Path, technique: str | None) -> str:
    known = readers_of(technique)
    names = ", ".join(sorted(known))
    if not claims_hdf5(path):
        what = "folder without projections" if path.is_dir() else "file of another kind"
        return f"{path} is a {what}: no installed reader knows it ({names})."
    with damage_told(path), Tree(path) as tree:
        held = ", ".join(list(tree.root)[:8]) or "nothing"
    layouts = sorted(reader.layout for reader in known.values() if reader.layout)
    return (
        f"{path} is an HDF5 file of an unknown layout: it holds {held}, but neither "
        f"{' nor '.join(layouts)} (readers: {names}). Check what the acquisition writes."
    )
