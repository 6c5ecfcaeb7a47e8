"""Which dataset, or file of datasets, a file on disk belongs to."""

from __future__ import annotations

from pathlib import Path

from tasks.io.tiff_folder import ANGLES_FILES, SIDECAR, SUFFIXES, is_kind_folder
from triggers.beamline import Beamline


def group(beamline: Beamline, path: Path) -> Path | None:
    """
    Return what a file belongs to: itself, or the folder of its series of images.

    Parameters
    ----------
    beamline
        Whose rules count.
    path
        A file, or the folder of a series.

    Returns
    -------
    None if it is none of the beamline's data: hidden, of another name, or loose images in the
    beamline's own folder.
    """
    root = _root(beamline, path)
    if root is None or any(part.startswith(".") for part in path.relative_to(root).parts):
        return None
    return belongs_to(beamline, root, path.parent, path.name)


def belongs_to(beamline: Beamline, root: Path, folder: Path, name: str) -> Path | None:
    """Do what `group` does for a file in a folder that is below the root and not hidden."""
    is_beside_images = name in (*ANGLES_FILES, SIDECAR)
    if not (is_beside_images or beamline.accepts(name)):
        return None
    if is_beside_images or Path(name).suffix.lower() in SUFFIXES:
        series = folder.parent if is_kind_folder(folder.name) else folder
        return series if series != root and series.is_relative_to(root) else None
    return folder / name if beamline.grouping != "folder" else None


def _root(beamline: Beamline, path: Path) -> Path | None:
    return next((root for root in beamline.folders if path.is_relative_to(root)), None)
