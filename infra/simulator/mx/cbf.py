"""Mini-CBF files, one per image, with the header of a PILATUS."""

import base64
import gzip
import hashlib
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from infra.simulator.mx import imgcif, instrument
from infra.simulator.mx.byte_offset import compressed
from infra.simulator.mx.plan import SOME_DAY, SweepPlan
from infra.simulator.mx.sweep import Sweep

SEPARATOR = b"\x0c\x1a\x04\xd5"
PADDING = 4095
HEADER = """\
# Detector: {detector}
# {time}
# Pixel_size {pixel:.4g}e-6 m x {pixel:.4g}e-6 m
# {sensor} sensor, thickness {thickness:.6f} m
# Exposure_time {exposure:.7f} s
# Exposure_period {exposure:.7f} s
# Tau = 0 s
# Count_cutoff {saturation} counts
# Threshold_setting: {threshold:.0f} eV
# Gain_setting: autog (vrf = 1.000)
# N_excluded_pixels = {excluded}
# Wavelength {wavelength:.6f} A
# Detector_distance {distance:.6f} m
# Beam_xy ({x:.2f}, {y:.2f}) pixels
# Start_angle {start:.4f} deg.
# Angle_increment {width:.4f} deg.
# Detector_2theta {two_theta:.4f} deg.
# Polarization {polarisation:.3f}
{axes}
# Oscillation_axis {axis}
# N_oscillations 1
"""
SENSORS = {"Si": "Silicon", "CdTe": "CdTe", "GaAs": "GaAs"}


def files(folder: Path, plan: SweepPlan, *, packed: bool = False) -> Iterator[Path]:
    """
    Write the images of a sweep one after the other as NAME_00001.cbf and so on.

    Yields
    ------
    Path
        Each file that is there.
    """
    sweep = Sweep(plan)
    for number, image in enumerate(sweep.images()):
        if number in plan.faults.lost:
            continue
        path = folder / f"{plan.name}_{number + 1:05d}.cbf{'.gz' if packed else ''}"
        content = cbf(plan, number, image)
        hidden = path.with_name(f".{path.name}")
        hidden.write_bytes(gzip.compress(content, 4) if packed else content)
        hidden.rename(path)
        yield path


def write(folder: Path, plan: SweepPlan, *, seconds: float = 0.0, packed: bool = False) -> Path:
    """Write a sweep as numbered files, within about so many seconds; return the first one."""
    paths: list[Path] = []
    for path in files(folder, plan, packed=packed):
        paths.append(path)
        time.sleep(seconds / plan.written)
    return paths[0]


def cbf(plan: SweepPlan, number: int, image: NDArray[np.int32]) -> bytes:
    """Return the content of a file."""
    binary = compressed(image)
    rows, columns = image.shape
    digest = base64.b64encode(hashlib.md5(binary, usedforsecurity=False).digest()).decode()
    section = f"""\
_array_data.data
;
--CIF-BINARY-FORMAT-SECTION--
Content-Type: application/octet-stream;
     conversions="x-CBF_BYTE_OFFSET"
Content-Transfer-Encoding: BINARY
X-Binary-Size: {len(binary)}
X-Binary-ID: 1
X-Binary-Element-Type: "signed 32-bit integer"
X-Binary-Element-Byte-Order: LITTLE_ENDIAN
Content-MD5: {digest}
X-Binary-Number-of-Elements: {image.size}
X-Binary-Size-Fastest-Dimension: {columns}
X-Binary-Size-Second-Dimension: {rows}
X-Binary-Size-Padding: {PADDING}

"""
    head = "\r\n".join(_head(plan, number).splitlines() + section.splitlines()) + "\r\n\r\n"
    tail = b"\0" * PADDING + b"\r\n--CIF-BINARY-FORMAT-SECTION----\r\n;\r\n"
    return head.replace("\r\n\r\n\r\n", "\r\n\r\n").encode() + SEPARATOR + binary + tail


def _head(plan: SweepPlan, number: int) -> str:
    return f"""\
###CBF: VERSION 1.5, simulated
data_{plan.name}_{number + 1:05d}
{imgcif.axes(plan, number) if imgcif.needed(plan) else ""}\
_array_data.header_convention "PILATUS_1.2"
_array_data.header_contents
;
{header(plan, number)};
"""


def header(plan: SweepPlan, number: int) -> str:
    """Return the header of an image, as a PILATUS writes it."""
    detector, beam, turn = plan.detector, plan.beam, plan.rotation
    claimed = instrument.claimed_plane(plan)
    x, y = instrument.header_centre(plan)
    begins = (plan.started_at or SOME_DAY) + timedelta(seconds=number * beam.exposure)
    start = turn.start_deg + number * turn.width_deg
    return HEADER.format(
        detector=f"{detector.name}, S/N 00-0000",
        time=begins.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3],
        pixel=1e3 * detector.pixel,
        sensor=SENSORS[detector.sensor],
        thickness=1e-3 * detector.thickness,
        exposure=beam.exposure,
        saturation=detector.saturation,
        threshold=500 * instrument.KEV_ANGSTROM / beam.wavelength,
        excluded=int(Sweep(plan).pixels.dead.sum()),
        wavelength=beam.wavelength,
        distance=1e-3 * abs(claimed.normal @ claimed.origin),
        x=x,
        y=y,
        start=start,
        width=turn.width_deg,
        two_theta=detector.two_theta_deg,
        polarisation=beam.polarisation,
        axes=_axes(plan, start),
        axis=plan.goniometer.names[plan.goniometer.scan_axis].upper(),
    )


def _axes(plan: SweepPlan, start: float) -> str:
    """Return the angles of all axes, and how far each turns during the image."""
    goniometer = plan.goniometer
    lines: list[str] = []
    for number, name in enumerate(goniometer.names):
        turns = number == goniometer.scan_axis
        angle = start if turns else goniometer.angles_deg[number]
        width = plan.rotation.width_deg if turns else 0.0
        lines += [f"# {name.capitalize()} {angle:.4f} deg."]
        lines += [f"# {name.capitalize()}_increment {width:.4f} deg."]
    return "\n".join(lines)
