"""Small CBF images, packed and described by hand as DECTRIS detectors and CBFlib write them."""

import base64
import gzip
import hashlib
from pathlib import Path
from typing import Any

import numpy as np

ROWS, COLUMNS = 195 * 2 + 17, 487  # two modules of a PILATUS, one above the other
PIXEL = 0.172
START, WIDTH = -30.0, 0.5

COMMENTS = """# Detector: PILATUS test, S/N 1
# {started}
# Pixel_size 172e-6 m x 172e-6 m
# Silicon sensor, thickness 0.000450 m
# Exposure_time 0.0990000 s
# Exposure_period 0.1000000 s
# Count_cutoff 1048500 counts
# Wavelength 0.9795 A
# Detector_distance 0.20000 m
# Beam_xy (240.00, 200.00) pixels
# Flux 0.000000
# Filter_transmission 50.0000
# Start_angle {start:.4f} deg.
# Angle_increment {width:.4f} deg.
# Polarization 0.990
"""

AXES = """_diffrn.id TEST
loop_
_diffrn_radiation.diffrn_id
_diffrn_radiation.wavelength_id
TEST W1 'one value too many'
loop_
_diffrn_measurement_axis.measurement_id
_diffrn_measurement_axis.axis_id
GONIOMETER GON_OMEGA
GONIOMETER GON_KAPPA
GONIOMETER GON_PHI
loop_
_diffrn_scan_axis.scan_id
_diffrn_scan_axis.axis_id
_diffrn_scan_axis.angle_start
_diffrn_scan_axis.angle_increment
_diffrn_scan_axis.displacement_start
SCAN1 GON_OMEGA {start:.4f} {width:.4f} 0
SCAN1 GON_KAPPA 40.0 0.0 0
SCAN1 GON_PHI 70.0 0.0 0
SCAN1 DET_2THETA {two_theta:.4f} 0.0 0
SCAN1 DET_Z 0 0 200.0
loop_
_axis.id
_axis.type
_axis.equipment
_axis.depends_on
_axis.vector[1] _axis.vector[2] _axis.vector[3]
_axis.offset[1] _axis.offset[2] _axis.offset[3]
GON_OMEGA  rotation goniometer . 1 0 0 . . .
GON_KAPPA  rotation goniometer GON_OMEGA 0.64279 0 0.76604 . . .  # of unit length but for digits
GON_PHI    rotation goniometer GON_KAPPA 1 0 0 . . .
SOURCE     general source . 0 0 1 . . .
DET_2THETA rotation detector . 1 0 0 . . .
DET_Z      translation detector DET_2THETA 0 0 -1 0 0 0
ELEMENT_X  translation detector DET_Z 1 0 0 -41.28 34.4 0
ELEMENT_Y  translation detector ELEMENT_X 0 -1 0 0 0 0
loop_
_array_structure_list.array_id
_array_structure_list.index
_array_structure_list.dimension
_array_structure_list.precedence
_array_structure_list.direction
_array_structure_list.axis_set_id
ARRAY1 2 {rows} 2 increasing ELEMENT_Y
ARRAY1 1 {columns} 1 increasing ELEMENT_X
loop_
_array_structure_list_axis.axis_set_id
_array_structure_list_axis.axis_id
_array_structure_list_axis.displacement
_array_structure_list_axis.displacement_increment
ELEMENT_X ELEMENT_X 0.0 0.1720
ELEMENT_Y ELEMENT_Y 0.0 0.1720
"""

MIME = """--CIF-BINARY-FORMAT-SECTION--\r
Content-Type: application/octet-stream;\r
     conversions="x-CBF_BYTE_OFFSET"\r
Content-Transfer-Encoding: BINARY\r
X-Binary-Size: {size}\r
X-Binary-ID: 1\r
X-Binary-Element-Type: "signed 32-bit integer"\r
X-Binary-Element-Byte-Order: LITTLE_ENDIAN\r
Content-MD5: {md5}\r
X-Binary-Number-of-Elements: {count}\r
X-Binary-Size-Fastest-Dimension: {columns}\r
X-Binary-Size-Second-Dimension: {rows}\r
X-Binary-Size-Padding: 0\r
\r
"""


def packed(image: Any) -> bytes:
    """Pack an image by byte offsets, one pixel after the other."""
    found, last = bytearray(), 0
    for value in image.ravel().tolist():
        step, last = value - last, value
        if -127 <= step <= 127:
            found += step.to_bytes(1, "little", signed=True)
        elif -32767 <= step <= 32767:
            found += b"\x80" + step.to_bytes(2, "little", signed=True)
        else:
            found += b"\x80\x00\x80" + step.to_bytes(4, "little", signed=True)
    return bytes(found)


def picture(number: int, rows: int = ROWS, columns: int = COLUMNS) -> Any:
    """Return an image that holds its number, a bright spot, a dead pixel and its gaps as zeros."""
    image = np.full((rows, columns), number, np.int32)
    image[rows // 2 - 40, 100] = 900_000
    image[10, 20] = -2
    if rows == ROWS:
        image[195:212] = -1
    return image


def write_cbf(
    path: Path,
    number: int,
    *,
    image: Any = None,
    started: str = "2026-03-01T12:00:00.000",
    start: float = START,
    width: float = WIDTH,
    axes: str = "",
    two_theta: float = 0.0,
    comments: str = COMMENTS,
) -> Path:
    """Write one image of a sweep; its angle follows from its number."""
    image = picture(number) if image is None else image
    rows, columns = image.shape
    told = {"start": start + (number - 1) * width, "width": width, "started": started}
    content = packed(image)
    text = (
        f"###CBF: VERSION 1.5, CBFlib v0.7.8 - PILATUS detectors\r\n\r\ndata_{path.stem}\r\n\r\n"
        f'_array_data.header_convention "PILATUS_1.2"\r\n_array_data.header_contents\r\n;\r\n'
        f"{comments.format(**told)};\r\n"
    )
    if axes:
        text += axes.format(**told, two_theta=two_theta, rows=rows, columns=columns)
    text += "_array_data.data\r\n;\r\n"
    text += MIME.format(
        size=len(content),
        md5=base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode(),
        count=image.size,
        rows=rows,
        columns=columns,
    )
    whole = (
        text.encode()
        + b"\x0c\x1a\x04\xd5"
        + content
        + b"\r\n--CIF-BINARY-FORMAT-SECTION----\r\n;\r\n"
    )
    path.write_bytes(gzip.compress(whole, 1) if path.suffix == ".gz" else whole)
    return path
