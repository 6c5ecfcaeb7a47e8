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
    if path.suffix.lower() in SUFFIXES or path.name in (*ANGLES_FILES, SIDECAR):
        series = path.parent.parent if is_kind_folder(path.parent.name) else path.parent
        known = beamline.accepts(path.name) or path.suffix.lower() not in SUFFIXES
        return series if known and series.is_relative_to(root) and series != root else None
    return path if beamline.grouping != "folder" and beamline.accepts(path.name) else None


def _root(beamline: Beamline, path: Path) -> Path | None:
    return next((root for root in beamline.folders if path.is_relative_to(root)), None)
