"""Which dataset, or file of datasets, a file on disk belongs to, and which rule takes it."""

from __future__ import annotations

import os
from pathlib import Path

from tasks.io.mx.masters import master_of
from tasks.io.tiff_folder import ANGLES_FILES, SIDECAR, is_kind_folder
from triggers.beamline import Beamline
from triggers.rules import Rule

BESIDE_IMAGES = (*ANGLES_FILES, SIDECAR)
CRYSTALLOGRAPHY = "mx"  # sweeps are told apart by their names, wherever they are
TOMOGRAPHY = "ct"  # one projection alone is no scan; elsewhere an image may be all there is
IMAGES = (".tif", ".tiff", ".cbf", ".cbf.gz", ".edf", ".edf.gz")


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
    None if it is none of the beamline's data: hidden, of another name, ignored by a rule, or loose
    projections in the beamline's own folder.
    """
    root = _root(beamline, path)
    if root is None or any(part.startswith(".") for part in path.relative_to(root).parts):
        return None
    return belongs_to(beamline, root, path.parent, path.name)


def belongs_to(beamline: Beamline, root: Path, folder: Path, name: str) -> Path | None:
    """Do what `group` does for a file in a folder that is below the root and not hidden."""
    is_beside_images = name in BESIDE_IMAGES
    if not (is_beside_images or beamline.accepts(name)):
        return None
    file, is_series = folder / name, is_beside_images or is_image(name)
    found = _folder_of(folder) if is_series else file
    rule = _rule(beamline, root, found, file) if beamline.rules else None
    if rule is not None and rule.ignore:
        return None
    grouping, technique = beamline.grouping_of(rule), beamline.technique_of(rule)
    if technique == CRYSTALLOGRAPHY:
        return _sweep_of(file, grouping, is_series=is_series)
    if not is_series:
        return found if grouping != "folder" else None
    is_below = found != root and found.is_relative_to(root)
    if technique != TOMOGRAPHY and (grouping == "file" or folder == root):
        return None if is_beside_images else file
    loose = folder if technique != TOMOGRAPHY else None
    return found if is_below else loose


def _sweep_of(file: Path, grouping: str, *, is_series: bool) -> Path | None:
    """Return the folder of a sweep's images, or the file that describes them."""
    if not is_series:
        return (master_of(file) or file) if grouping != "folder" else None
    if grouping == "file":
        return None if file.name in BESIDE_IMAGES else file
    return file.parent


def _folder_of(folder: Path) -> Path:
    """Return the folder of a series that has images in this folder."""
    return folder.parent if is_kind_folder(folder.name) else folder


def rule_of(beamline: Beamline, path: Path) -> Rule | None:
    """Return the rule that takes a file or the folder of a series, as `belongs_to` found it."""
    if not beamline.rules:
        return None
    root, _ = beamline.locate(path)
    image = _an_image(path) if path.is_dir() else None
    return _rule(beamline, root, path, image or path)


def is_image(name: str) -> bool:
    """Whether a file is one image of a series, by its name."""
    return name.lower().endswith(IMAGES)


def _rule(beamline: Beamline, root: Path, found: Path, file: Path) -> Rule | None:
    return beamline.rule_for(*names_of(root, found, file))


def names_of(root: Path, found: Path, file: Path) -> tuple[str, ...]:
    """Return the names that rules know data by: the file's, and that of its series' folder."""
    names = (each.relative_to(root).as_posix() for each in (found, file) if root in each.parents)
    return tuple(dict.fromkeys(names))


def _an_image(folder: Path) -> Path | None:
    """Return one image of a series; its own before those of flats and darks."""
    with os.scandir(folder) as items:
        below: list[Path] = []
        for item in items:
            if is_image(item.name) and not item.name.startswith("."):
                return Path(item.path)
            if is_kind_folder(item.name) and item.is_dir():
                below.append(Path(item.path))
    return next((image for each in sorted(below) if (image := _an_image(each))), None)


def _root(beamline: Beamline, path: Path) -> Path | None:
    return next((root for root in beamline.folders if path.is_relative_to(root)), None)
