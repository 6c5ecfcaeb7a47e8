"""
Where beam, detector and goniometer stand, from an NXmx file or a DECTRIS master.

Chains of transformations tell all. Files of simple acquisitions lack them: then the detector stands
upright where beam centre and distance put it, and the crystal turns about +x, as DIALS and XDS take
such files.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import h5py
import numpy as np

from tasks.errors import DataError
from tasks.io.diffraction import Beam, Detector, F, Geometry, Goniometer, Rotation
from tasks.io.hdf5 import Tree
from tasks.io.mx.axes import direct, place
from tasks.io.mx.nexus_axes import (
    Transformation,
    axes_of,
    depends_on,
    is_transformation,
    transformations,
)
from tasks.io.mx.sensor import absorption_of, material_of
from tasks.io.pdf.describe import HC
from tasks.io.pdf.stacks import nx_class
from tasks.io.values import energy, first_length, plain, scalar, text, unit

ANGSTROM = {"nm": 10.0, "m": 1e10, "pm": 0.01}
BEAMS = ("instrument/beam", "sample/beam", "beam")
ROTATIONS = ("phi", "chi", "kappa", "omega")
FLAT = 0.5  # pixels by which a module may lie off the others' plane
X, Y = np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])


@dataclass
class NxmxGeometry:
    """
    What one entry places.

    Attributes
    ----------
    sample
        The chain of transformations that carries the crystal, outwards.
    warnings
        What had to be assumed.
    """

    tree: Tree
    entry: h5py.Group
    detector: h5py.Group
    shape: tuple[int, int]
    sample: list[Transformation] = field(default_factory=list[Transformation])
    warnings: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self.sample = self._sample_chain()

    @property
    def where(self) -> str:
        """The file, for what is told about it."""
        return str(self.tree.path)

    def place(self, images: int) -> Geometry:
        """
        Place everything for so many images.

        Raises
        ------
        DataError
            Wavelength, distance or the size of a pixel are not told, or chains are broken.
        """
        beam = self._beam()
        goniometer, rotation = self._goniometer(images)
        return Geometry(beam, self._detector(beam.wavelength), goniometer, rotation)

    # -- beam --------------------------------------------------------------------------------------

    def _beam(self) -> Beam:
        wavelength = self._wavelength()
        for path in BEAMS:
            stokes = self.tree.dataset(f"{path}/incident_polarization_stokes", self.entry)
            values = None if stokes is None else self.tree.values(stokes).reshape(-1, 4)[0]
            if values is not None and values[0] > 0:
                part = float(values[1] / values[0])
                normal = Y if part >= 0 else X
                return Beam(wavelength, -TO_SOURCE, min((1 + abs(part)) / 2, 1.0), normal)
        return Beam(wavelength)

    def _wavelength(self) -> float:
        for path in BEAMS:
            dataset = self.tree.dataset(f"{path}/incident_wavelength", self.entry)
            if dataset is not None and dataset.size:
                value = float(self.tree.values(dataset).reshape(-1)[0])
                if value > 0:
                    return value * ANGSTROM.get(unit(dataset).lower(), 1.0)
        paths = [f"{path}/incident_energy" for path in BEAMS]
        kev = energy(self.tree, paths, self.entry) or energy(
            self.tree, ("detectorSpecific/photon_energy",), self.detector
        )
        if kev is None:
            raise DataError(
                f"{self.where} tells neither wavelength nor energy: let the beamline's software "
                f"write incident_wavelength."
            )
        return HC / kev

    # -- detector ----------------------------------------------------------------------------------

    def _detector(self, wavelength: float) -> Detector:
        material = material_of(text(self.tree, ("sensor_material",), self.detector) or "Si") or "Si"
        thickness = 1e3 * (first_length(self.tree, ("sensor_thickness",), self.detector) or 0.0)
        modules = self._modules()
        placed = [self._module(module) for module in modules]
        origin, fast, slow, pixel = placed[0] if placed else self._upright()
        self._check_flat(placed)
        name = text(self.tree, ("description", "local_name"), self.detector) or ""
        number = text(self.tree, ("detector_number", "serial_number"), self.detector) or ""
        return Detector(
            origin=origin,
            fast=fast,
            slow=slow,
            pixel=pixel,
            shape=self.shape,
            thickness=thickness,
            material=material,
            absorption=absorption_of(material, wavelength) if thickness else 0.0,
            name=f"{name}, S/N {number}" if name and number else name,
        )

    def _modules(self) -> list[h5py.Group]:
        groups = [self.tree.find(name, self.detector) for name in self.detector]
        modules = [
            each
            for each in groups
            if isinstance(each, h5py.Group) and nx_class(each) == "NXdetector_module"
        ]
        named = self.tree.find("module", self.detector)
        if not modules and isinstance(named, h5py.Group):
            modules = [named]
        return [
            each
            for each in modules
            if is_transformation(self.tree.dataset("fast_pixel_direction", each))
            and is_transformation(self.tree.dataset("slow_pixel_direction", each))
        ]

    def _module(self, module: h5py.Group) -> tuple[F, F, F, tuple[float, float]]:
        """Return origin, fast, slow and pixel of the whole image, from one of its modules."""
        chains = [
            transformations(self.tree, self.tree.dataset(f"{name}_pixel_direction", module))
            for name in ("fast", "slow")
        ]
        fast, slow = (direct(axes_of(chain)[1:], chain[0].axis.unit) for chain in chains)
        steps = [self._step(chain[0], name) for chain, name in zip(chains, "xy", strict=True)]
        # the pixel's step along its own axis is not part of where the module begins
        corner = place(axes_of(chains[0])[1:], chains[0][0].axis.offset)
        begin = self._begin(module)
        origin = corner - begin[1] * steps[0] * fast - begin[0] * steps[1] * slow
        return origin, fast, slow, (steps[0], steps[1])

    def _step(self, pixel: Transformation, name: str) -> float:
        """Return the size of a pixel in mm."""
        told = first_length(self.tree, (f"{name}_pixel_size",), self.detector)
        step = abs(pixel.axis.setting) or (1e3 * told if told else 0.0)
        if not step:
            raise DataError(f"{self.where} does not tell the size of a pixel: mend the file.")
        return step

    def _begin(self, module: h5py.Group) -> tuple[int, int]:
        """Return row and column of a module's first pixel in the image."""
        size = self._pair(module, "data_size")
        if size and size != self.shape and size[::-1] == self.shape:
            self.warnings.append(
                f"{self.where}: the sizes of its module stand as (fast, slow), where NXmx has "
                f"(slow, fast); they are taken the other way round."
            )
        return self._pair(module, "data_origin") or (0, 0)

    def _pair(self, module: h5py.Group, name: str) -> tuple[int, int] | None:
        dataset = self.tree.dataset(name, module)
        values = [] if dataset is None else self.tree.values(dataset).reshape(-1).tolist()
        return (int(values[-2]), int(values[-1])) if len(values) >= 2 else None

    def _check_flat(self, placed: list[tuple[F, F, F, tuple[float, float]]]) -> None:
        rows, columns = self.shape
        corners = [
            origin + far * (columns * pixel[0] * fast + rows * pixel[1] * slow)
            for origin, fast, slow, pixel in placed
            for far in (0.0, 1.0)
        ]
        for near, far in zip(corners[2::2], corners[3::2], strict=True):
            off = max(np.linalg.norm(near - corners[0]), np.linalg.norm(far - corners[1]))
            if off > FLAT * placed[0][3][0]:
                raise DataError(
                    f"{self.where}: the modules of its detector do not lie in one plane (off by "
                    f"{off:.2f} mm); only flat detectors are read."
                )

    def _upright(self) -> tuple[F, F, F, tuple[float, float]]:
        sizes = [
            first_length(self.tree, (f"{name}_pixel_size",), self.detector) for name in ("x", "y")
        ]
        distance = first_length(self.tree, ("detector_distance", "distance"), self.detector)
        centre = [scalar(self.tree, (f"beam_center_{name}",), self.detector) for name in ("x", "y")]
        if distance is None or None in sizes or None in centre:
            raise DataError(
                f"{self.where} tells neither how its detector's module lies (fast_pixel_direction, "
                f"slow_pixel_direction) nor all of detector_distance, beam_center_x and _y, "
                f"x_pixel_size and y_pixel_size: let the beamline's software write them."
            )
        self.warnings.append(
            f"{self.where} does not tell how its detector lies: it is taken as upright and across "
            f"the beam, where beam centre and distance put it."
        )
        pixel = (1e3 * float(sizes[0] or 0), 1e3 * float(sizes[1] or 0))
        origin = np.array([-centre[0] * pixel[0], centre[1] * pixel[1], -1e3 * distance])
        return origin, X, -Y, pixel

    # -- sample ------------------------------------------------------------------------------------

    def _sample_chain(self) -> list[Transformation]:
        sample = self.tree.find("sample", self.entry)
        told = text(self.tree, ("sample/depends_on",), self.entry)
        if not told or not isinstance(sample, h5py.Group):
            return []
        return transformations(self.tree, depends_on(self.tree, sample, told))

    def _goniometer(self, images: int) -> tuple[Goniometer, Rotation]:
        stages = [each for each in self.sample if each.axis.is_rotation]
        if not stages:
            return self._plain_goniometer(images)
        turning = next((each for each in stages if each.varies), None)
        scan = stages.index(turning) if turning else self._still_axis(stages)
        goniometer = Goniometer(
            axes=np.array([each.axis.unit for each in stages]),
            angles_deg=np.array([each.axis.setting for each in stages]),
            scan_axis=scan,
            names=tuple(each.axis.name.lower() for each in stages),
        )
        width = self._width(stages[scan])
        return goniometer, Rotation(stages[scan].axis.setting, width, images)

    def _still_axis(self, stages: list[Transformation]) -> int:
        """Return which axis turns if there is one image alone: that with an increment."""
        widths = [abs(self._width(each)) for each in stages]
        return int(np.argmax(widths)) if max(widths) > 0 else len(stages) - 1

    def _width(self, stage: Transformation) -> float:
        """Return the turn per image in degrees, and check that it is the same for all."""
        if not stage.varies:
            told = [
                self._beside(stage.dataset, suffix)
                for suffix in ("_increment_set", "_range_average", "_increment")
            ]
            return next((each for each in told if each is not None), 0.0)
        steps = np.diff(stage.values)
        width = float(np.median(steps))
        if np.abs(steps - width).max() > 0.1 * abs(width) + 1e-6:
            self.warnings.append(
                f"{self.where}: {stage.axis.name} does not turn evenly (by {steps.min():g} to "
                f"{steps.max():g} degrees an image); {width:g} are taken."
            )
            return width
        return float((stage.values[-1] - stage.values[0]) / len(steps))

    def _beside(self, dataset: h5py.Dataset, suffix: str) -> float | None:
        name = str(dataset.name).rsplit("/", 1)[-1]
        found = self.tree.dataset(f"{name}{suffix}", dataset.parent)
        return None if found is None or not found.size else float(_first(self.tree, found))

    def _plain_goniometer(self, images: int) -> tuple[Goniometer, Rotation]:
        """Take the angles of a master without transformations (``sample/goniometer/omega``)."""
        self.warnings.append(
            f"{self.where} does not tell about which axis the crystal turns: +x of the laboratory "
            f"is assumed."
        )
        angles = {name: self._angles(name) for name in ROTATIONS}
        widths = {name: self._told_width(name, each) for name, each in angles.items()}
        turning = max(widths, key=lambda name: abs(widths[name]))
        name = turning if widths[turning] else "omega"
        start = angles[name]
        return (
            Goniometer(names=(name,)),
            Rotation(float(start[0]) if len(start) else 0.0, widths[name], images),
        )

    def _angles(self, name: str) -> F:
        for place_of in ("sample/goniometer", "sample/transformations", "sample"):
            for path in (f"{place_of}/{name}", f"{place_of}/{name}_start"):
                dataset = self.tree.dataset(path, self.entry)
                if dataset is not None and dataset.size and dataset.dtype.kind in "iuf":
                    return self.tree.values(dataset).reshape(-1).astype(np.float64)
        told = scalar(self.tree, (f"detectorSpecific/{name}_start",), self.detector)
        return np.empty(0) if told is None else np.array([float(told)])

    def _told_width(self, name: str, angles: F) -> float:
        if len(angles) > 1 and np.ptp(angles) > 1e-9:
            return float(np.median(np.diff(angles)))
        paths = [
            f"sample/{group}/{name}_{word}"
            for group in ("goniometer", "transformations")
            for word in ("increment_set", "range_average", "increment")
        ]
        told: Any = scalar(self.tree, paths, self.entry)
        if told is None:
            told = scalar(self.tree, (f"detectorSpecific/{name}_increment",), self.detector)
        return float(told or 0.0)


TO_SOURCE = np.array([0.0, 0.0, 1.0])


def _first(tree: Tree, dataset: h5py.Dataset) -> float:
    return float(plain(tree.values(dataset).reshape(-1)[0]))
