"""
Where beam, detector and goniometer stand, from the header of a CBF image.

With imgCIF's axes (Bernstein & Hammersley, International Tables G, chapter 3.7) all is told. Plain
comments leave the directions to convention, which is that of DIALS: the image's rows run along +x,
its columns along -y, the crystal turns about +x.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from tasks.errors import DataError
from tasks.io.diffraction import Beam, Detector, F, Geometry, Goniometer, Rotation
from tasks.io.mx.axes import Axis, chain, direct, place, turned
from tasks.io.mx.cbf_header import CbfHeader
from tasks.io.mx.cif import Row, number, word
from tasks.io.mx.sensor import absorption_of

TABLES = ("axis", "array_structure_list", "array_structure_list_axis")
X, Y = np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])
USUAL_PIXEL = 0.172  # mm, of PILATUS


@dataclass
class Placed:
    """What a header places, and what had to be assumed."""

    geometry: Geometry
    warnings: list[str] = field(default_factory=list[str])


def geometry_of(header: CbfHeader, images: int = 1, first_number: int = 1) -> Placed:
    """
    Place everything from the header of a sweep's first image.

    Parameters
    ----------
    header
        Of the first image.
    images, first_number
        How many images there are, lost ones included, and the number of the first.

    Raises
    ------
    DataError
        It lacks wavelength, distance or beam centre, or its axes contradict each other.
    """
    wavelength = header.wavelength
    if wavelength is None:
        raise DataError(
            f"{header.cbf.path} does not tell the wavelength: let the beamline's software write it "
            f"into the header."
        )
    if all(header.rows(name) for name in TABLES):
        return _Tables(header).placed(wavelength, images, first_number)
    return _conventional(header, wavelength, images, first_number)


def _beam(header: CbfHeader, wavelength: float, direction: F | None = None) -> Beam:
    told = header.number("polarization")
    beam = Beam(wavelength) if direction is None else Beam(wavelength, direction)
    return beam if told is None or not 0.5 <= told <= 1 else replace(beam, polarisation=told)


def _pixel(header: CbfHeader) -> tuple[float, float] | None:
    """Return the size of a pixel along fast and slow, in mm."""
    told = header.numbers("pixel_size")
    return (1e3 * told[0], 1e3 * told[1]) if len(told) > 1 else None


# -- comments alone ------------------------------------------------------------------------------


def _conventional(header: CbfHeader, wavelength: float, images: int, first: int) -> Placed:
    warnings: list[str] = []
    name = header.cbf.path.name
    distance, centre = header.number("detector_distance"), header.numbers("beam_xy")
    if distance is None or len(centre) < 2:
        raise DataError(
            f"{header.cbf.path} tells neither imgCIF's axes nor both Detector_distance and "
            f"Beam_xy: let the beamline's software write them into the header."
        )
    pixel = _pixel(header)
    if pixel is None:
        pixel = (USUAL_PIXEL, USUAL_PIXEL)
        warnings.append(f"{name} does not tell the size of a pixel: {USUAL_PIXEL} mm are assumed.")
    origin = np.array([-centre[0] * pixel[0], centre[1] * pixel[1], -1e3 * distance])
    fast, slow = X, -Y
    two_theta = header.number("detector_2theta") or 0.0
    if two_theta:
        warnings.append(
            f"{name} puts the detector at 2theta = {two_theta:g} degrees but not about which axis: "
            f"that of the goniometer is assumed."
        )
        origin, fast, slow = (turned(each, X, two_theta) for each in (origin, fast, slow))
    detector = _detector(header, wavelength, origin, fast, slow, pixel)
    goniometer = _single_axis(header, warnings)
    start, width = header.number("start_angle"), header.number("angle_increment")
    if start is None or width is None:
        warnings.append(f"{name} does not tell how the crystal turned: it is taken as a still.")
    rotation = Rotation(start or 0.0, width or 0.0, images, first)
    return Placed(Geometry(_beam(header, wavelength), detector, goniometer, rotation), warnings)


def _single_axis(header: CbfHeader, warnings: list[str]) -> Goniometer:
    name = header.told.get("oscillation_axis", "").split(",")[0].split(" ")[0].lower() or "omega"
    set_elsewhere = [
        f"{each} = {header.number(each):g}"
        for each in ("omega", "chi", "kappa", "phi")
        if each != name and header.number(each)
    ]
    if set_elsewhere:
        warnings.append(
            f"{header.cbf.path.name} was taken at {', '.join(set_elsewhere)} degrees, but the "
            f"header does not tell how these axes lie: the sweep is indexed by itself."
        )
    return Goniometer(names=(name,))


def _detector(
    header: CbfHeader,
    wavelength: float,
    origin: F,
    fast: F,
    slow: F,
    pixel: tuple[float, float],
    gain: float = 1.0,
) -> Detector:
    material, thickness = header.sensor
    return Detector(
        origin=origin,
        fast=fast,
        slow=slow,
        pixel=pixel,
        shape=header.cbf.shape,
        thickness=thickness,
        material=material or "Si",
        absorption=absorption_of(material, wavelength) if thickness else 0.0,
        gain=gain,
        name=header.told.get("detector", ""),
    )


# -- imgCIF's axes -------------------------------------------------------------------------------


class _Tables:
    """The axes of one image, at their settings."""

    def __init__(self, header: CbfHeader) -> None:
        self.header = header
        self.where = str(header.cbf.path)
        scan = self._settings("diffrn_scan_axis", "angle_start", "displacement_start")
        self.frame = self._settings("diffrn_scan_frame_axis", "angle", "displacement")
        self.settings = scan | self.frame
        self.axes = {word(row, "id"): self._axis(row) for row in header.tables["axis"]}

    def _settings(self, table: str, angle: str, displacement: str) -> dict[str, float]:
        rows = self.header.rows(table)
        # an axis turns or moves: the other of the two is 0
        return {
            word(row, "axis_id"): number(row, angle) + number(row, displacement) for row in rows
        }

    def _axis(self, row: Row) -> Axis:
        name = word(row, "id")
        vector = np.array([number(row, f"vector[{each}]") for each in (1, 2, 3)])
        return Axis(
            name=name,
            is_rotation=word(row, "type") == "rotation",
            vector=vector if vector.any() else X,
            setting=self.settings.get(name, 0.0),
            offset=np.array([number(row, f"offset[{each}]") for each in (1, 2, 3)]),
            depends_on=word(row, "depends_on"),
        )

    def placed(self, wavelength: float, images: int, first: int) -> Placed:
        source = next(
            (row for row in self.header.rows("axis") if word(row, "equipment") == "source"), None
        )
        direction = None if source is None else -self.axes[word(source, "id")].unit
        beam = _beam(self.header, wavelength, direction)
        goniometer, rotation = self._goniometer(images, first)
        return Placed(Geometry(beam, self._detector(wavelength), goniometer, rotation))

    def _detector(self, wavelength: float) -> Detector:
        fast, slow = self._element_axes()
        outwards = [chain(self.axes, word(row, "axis_id"), self.where) for row in (fast, slow)]
        innermost = max(outwards, key=len)
        steps = [number(row, "displacement_increment") for row in (fast, slow)]
        if not all(steps):
            steps = list(_pixel(self.header) or (0.0, 0.0))
        if not all(steps):
            raise DataError(f"{self.where} does not tell the size of a pixel: mend the header.")
        along = [
            np.sign(step) * direct(axes, axes[0].unit)
            for step, axes in zip(steps, outwards, strict=True)
        ]
        return _detector(
            self.header,
            wavelength,
            place(innermost, np.zeros(3)),
            along[0],
            along[1],
            (abs(steps[0]), abs(steps[1])),
            number(self.header.row("array_intensities"), "gain", 1.0) or 1.0,
        )

    def _element_axes(self) -> tuple[Row, Row]:
        """Return the rows that tell along which axes pixels follow one another: fast, slow."""
        dimensions = sorted(
            self.header.rows("array_structure_list"), key=lambda row: number(row, "precedence")
        )
        if len({word(row, "array_id") for row in dimensions}) > 1:
            raise DataError(
                f"{self.where} has a detector of several elements; only flat ones of one element "
                f"are read."
            )
        rows = {word(row, "axis_set_id"): row for row in self._steps()}
        try:
            fast, slow = (rows[word(each, "axis_set_id")] for each in dimensions[:2])
        except (KeyError, ValueError) as error:
            raise DataError(
                f"{self.where} does not tell along which axes its pixels follow one another "
                f"(_array_structure_list, _array_structure_list_axis): mend the header."
            ) from error
        return fast, slow

    def _steps(self) -> list[Row]:
        return [
            {"axis_set_id": word(row, "axis_id"), **row}
            for row in self.header.rows("array_structure_list_axis")
        ]

    def _goniometer(self, images: int, first: int) -> tuple[Goniometer, Rotation]:
        listed = [word(row, "axis_id") for row in self.header.rows("diffrn_measurement_axis")]
        names = [name for name in listed if name in self.axes and self.axes[name].is_rotation]
        names = names or [
            word(row, "id")
            for row in self.header.rows("axis")
            if word(row, "equipment") == "goniometer" and word(row, "type") == "rotation"
        ]
        if not names:
            return Goniometer(), self._rotation("", images, first)
        longest = max((chain(self.axes, name, self.where) for name in names), key=len)
        stages = [axis for axis in longest if axis.is_rotation]
        increments = self._increments()
        turning = max(stages, key=lambda axis: abs(increments.get(axis.name, 0.0)))
        return (
            Goniometer(
                axes=np.array([axis.unit for axis in stages]),
                angles_deg=np.array([axis.setting for axis in stages]),
                scan_axis=stages.index(turning),
                names=tuple(_short(axis.name) for axis in stages),
            ),
            self._rotation(turning.name, images, first),
        )

    def _increments(self) -> dict[str, float]:
        rows = self.header.rows("diffrn_scan_axis")
        return {
            word(row, "axis_id"): number(row, "angle_increment") or number(row, "angle_range")
            for row in rows
        }

    def _rotation(self, name: str, images: int, first: int) -> Rotation:
        width = self._increments().get(name) or self.header.number("angle_increment") or 0.0
        told = self.header.number("start_angle")
        start = self.settings.get(name, 0.0)
        if told is not None and name not in self.frame:
            start = told  # the scan's table may tell where the whole sweep began
        return Rotation(start, width, images, first)


def _short(name: str) -> str:
    return name.lower().removeprefix("gon_").removeprefix("goniometer_")
