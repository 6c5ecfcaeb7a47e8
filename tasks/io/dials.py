"""
DIALS' experiment lists (``.expt``), read and written without DIALS.

Both are JSON as dxtbx writes it: models, and experiments that number them. DIALS' beam points from
the sample to the source; its crystals are given by their axes or, where they were refined along the
sweep, by A at the begin of each image and the end of the last.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tasks.errors import DataError
from tasks.io.dials_models import (
    PARALLAX,
    written_beam,
    written_crystal,
    written_detector,
    written_goniometer,
    written_imageset,
    written_scan,
)
from tasks.io.dials_table import DialsFlag, read_reflections, write_reflections
from tasks.io.diffraction import Beam, Detector, F, Geometry, Goniometer, Rotation
from tasks.mx.crystal import Crystal

__all__ = [
    "DialsFlag",
    "Experiment",
    "read_experiments",
    "read_reflections",
    "write_experiments",
    "write_reflections",
]

MODELS = ("beam", "detector", "goniometer", "scan", "crystal", "imageset")


@dataclass(frozen=True)
class Experiment:
    """
    One sweep as DIALS describes it.

    Attributes
    ----------
    crystal
        None before it is indexed.
    template
        Path of its images with ``#`` for the digits of their numbers, or of an HDF5 file.
    identifier
        Joins it with the rows of a reflection table.
    saturation
        Counts above which a pixel is overloaded.
    """

    geometry: Geometry
    crystal: Crystal | None = None
    template: str = ""
    identifier: str = ""
    saturation: float | None = None


def read_experiments(path: Path) -> tuple[Experiment, ...]:
    """
    Read an experiment list.

    Raises
    ------
    DataError
        It is none, or has a detector of several panels.
    """
    try:
        models = json.loads(path.read_text())
        listed = models["experiment"]
        return tuple(_experiment(models, each, path) for each in listed)
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise DataError(
            f"{path} is no experiment list of DIALS ({type(error).__name__}: {error})."
        ) from error


def _experiment(models: Any, numbers: Any, path: Path) -> Experiment:
    def model(kind: str) -> Any:
        number = numbers.get(kind)
        return None if number is None else models[kind][number]

    images: Any = model("imageset") or {}
    beam, detector, crystal = model("beam"), model("detector"), model("crystal")
    if beam is None or detector is None:
        raise DataError(f"{path} has an experiment without beam or detector.")
    geometry = Geometry(
        _beam(beam),
        _detector(detector, path),
        _goniometer(model("goniometer")),
        _rotation(model("scan")),
    )
    return Experiment(
        geometry,
        None if crystal is None else _crystal(crystal),
        str(images.get("template", "")),
        str(numbers.get("identifier", "")),
        float(detector["panels"][0]["trusted_range"][1]) or None,
    )


def _beam(model: Any) -> Beam:
    to_source = np.array(model["direction"], dtype=np.float64)
    return Beam(
        float(model["wavelength"]),
        -to_source / np.linalg.norm(to_source),
        float(model.get("polarization_fraction", 0.999)),
        np.array(model.get("polarization_normal", (0.0, 1.0, 0.0)), dtype=np.float64),
    )


def _detector(model: Any, path: Path) -> Detector:
    if len(model["panels"]) != 1:
        raise DataError(
            f"{path} has a detector of {len(model['panels'])} panels; only flat ones of one panel "
            f"are read."
        )
    panel = model["panels"][0]
    frame, shift = _hierarchy(model.get("hierarchy") or {})
    columns, rows = panel["image_size"]
    is_corrected = panel.get("px_mm_strategy", {}).get("type") == PARALLAX
    return Detector(
        origin=frame @ np.array(panel["origin"]) + shift,
        fast=frame @ np.array(panel["fast_axis"]),
        slow=frame @ np.array(panel["slow_axis"]),
        pixel=(float(panel["pixel_size"][0]), float(panel["pixel_size"][1])),
        shape=(int(rows), int(columns)),
        thickness=float(panel.get("thickness", 0.0)) if is_corrected else 0.0,
        material=str(panel.get("material") or "Si"),
        absorption=float(panel.get("mu", 0.0)) if is_corrected else 0.0,
        gain=float(panel.get("gain", 1.0)),
        name=str(panel.get("name", "")),
    )


def _hierarchy(model: Any) -> tuple[F, F]:
    """Return the frame that a panel's axes are given in, as columns, and its origin in mm."""
    fast = np.array(model.get("fast_axis", (1.0, 0.0, 0.0)), dtype=np.float64)
    slow = np.array(model.get("slow_axis", (0.0, 1.0, 0.0)), dtype=np.float64)
    origin = np.array(model.get("origin", (0.0, 0.0, 0.0)), dtype=np.float64)
    return np.column_stack([fast, slow, np.cross(fast, slow)]), origin


def _goniometer(model: Any) -> Goniometer:
    if model is None:
        return Goniometer()
    if "axes" in model:
        return Goniometer(
            np.array(model["axes"], dtype=np.float64),
            np.array(model["angles"], dtype=np.float64),
            int(model["scan_axis"]),
            tuple(str(name).lower() for name in model["names"]),
        )
    # rotations inside and outside of the axis stand as axes of their own
    stages = [(np.array(model["rotation_axis"], dtype=np.float64), 0.0, "omega")]
    for place, name in ((0, "fixed"), (2, "setting")):
        matrix = np.array(model.get(f"{name}_rotation", np.eye(3))).reshape(3, 3)
        if not np.allclose(matrix, np.eye(3), atol=1e-12):
            stages.insert(place, (*_axis_angle(matrix), name))
    names = tuple(name for _, _, name in stages)
    return Goniometer(
        np.array([axis for axis, _, _ in stages]),
        np.array([angle for _, angle, _ in stages]),
        names.index("omega"),
        names,
    )


def _axis_angle(matrix: F) -> tuple[F, float]:
    """Return axis and angle in degrees of a rotation."""
    from scipy.spatial import transform  # pyright: ignore[reportMissingTypeStubs]

    turns: Any = transform.Rotation
    vector: F = turns.from_matrix(matrix).as_rotvec()
    angle = float(np.linalg.norm(vector))
    axis = vector / angle if angle else np.array([1.0, 0.0, 0.0])
    return axis, float(np.degrees(angle))


def _rotation(model: Any) -> Rotation:
    if model is None:
        return Rotation(0.0, 0.0, 1)
    first, last = (int(number) for number in model["image_range"])
    if "oscillation" in model:
        start, width = model["oscillation"]
    else:  # newer lists give the angle at which each image begins
        angles = model["properties"].get("oscillation", [0.0])
        start, width = angles[0], (angles[1] - angles[0] if len(angles) > 1 else 0.0)
    return Rotation(float(start), float(width), last - first + 1, first)


def _crystal(model: Any) -> Crystal:
    import gemmi

    axes = np.array([model[f"real_space_{axis}"] for axis in "abc"], dtype=np.float64)
    along = model.get("A_at_scan_points")
    hall = str(model.get("space_group_hall_symbol") or "P 1").strip()
    group: Any = gemmi.find_spacegroup_by_ops(gemmi.symops_from_hall(hall))
    return Crystal(
        np.asarray(np.linalg.inv(axes), dtype=np.float64),
        "P 1" if group is None else str(group.xhm()),
        None if not along else np.array(along, dtype=np.float64).reshape(-1, 3, 3),
    )


# -- writing -------------------------------------------------------------------------------------


def write_experiments(path: Path, experiments: Sequence[Experiment]) -> None:
    """
    Write an experiment list that DIALS reads.

    Parameters
    ----------
    path
        Where to; written anew.
    experiments
        Each with models of its own.
    """
    models: dict[str, list[Any]] = {kind: [] for kind in MODELS}
    listed: list[dict[str, Any]] = []
    for each in experiments:
        geometry = each.geometry
        written = {
            "beam": written_beam(geometry.beam),
            "detector": written_detector(geometry.detector, each.saturation),
            "goniometer": written_goniometer(geometry.goniometer),
            "scan": written_scan(geometry.rotation),
            "crystal": None if each.crystal is None else written_crystal(each.crystal),
            "imageset": written_imageset(each.template, geometry.rotation.images),
        }
        numbers = {kind: len(models[kind]) for kind, model in written.items() if model is not None}
        listed.append({"__id__": "Experiment", "identifier": each.identifier, **numbers})
        for kind, model in written.items():
            models[kind] += [] if model is None else [model]
    path.write_text(
        json.dumps({"__id__": "ExperimentList", "experiment": listed, **models}, indent=1)
    )
