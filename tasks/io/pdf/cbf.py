"""
CBF images of DECTRIS detectors, plain or gzipped: text, then counts packed by byte offsets.

Of the binary format (https://www.iucr.org/resources/cif/spec/imgcif), what detectors write is
read: one signed integer array with the compression ``x-CBF_BYTE_OFFSET``. What a file promises
(its size, its MD5 sum) is checked before it is unpacked, so that a damaged one is told.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError

MAGIC = b"###CBF"
BEGIN = b"\x0c\x1a\x04\xd5"
LONGEST_HEADER = 256 * 1024
TYPES = {"signed 32-bit integer": np.int32, "signed 16-bit integer": np.int16}
PROMISED = re.compile(rb'(X-Binary-[A-Za-z-]+|Content-MD5|conversions)\s*[:=]\s*"?([^"\r\n]*)')


@dataclass(frozen=True)
class Cbf:
    """The text of an image and what it promises about its counts."""

    path: Path
    text: str
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    size: int
    md5: str
    begin: int


def look(path: Path) -> Cbf:
    """
    Read an image's header alone.

    Raises
    ------
    DataError
        It is cut short, no CBF, or packed otherwise.
    """
    cbf = _parsed(path, _bytes(path, LONGEST_HEADER))
    there = path.stat().st_size - cbf.begin
    if path.suffix.lower() != ".gz" and there < cbf.size:
        raise _cut(path, f"{there} of {cbf.size} bytes of its counts are there")
    return cbf


def load(path: Path) -> NDArray[Any]:
    """
    Read an image, (rows, columns).

    Raises
    ------
    DataError
        It is cut short or damaged.
    """
    from fabio.compression import decByteOffset

    content = _bytes(path)
    cbf = _parsed(path, content)
    packed = content[cbf.begin : cbf.begin + cbf.size]
    if len(packed) < cbf.size:
        raise _cut(path, f"{len(packed)} of {cbf.size} bytes of its counts are there")
    if cbf.md5 and base64.b64encode(_md5(packed)).decode() != cbf.md5:
        raise DataError(f"{path} is damaged (its MD5 sum differs): copy it again.")
    values = decByteOffset(packed, size=cbf.shape[0] * cbf.shape[1])
    return np.asarray(values).astype(cbf.dtype).reshape(cbf.shape)


def _md5(packed: bytes) -> bytes:
    return hashlib.md5(packed, usedforsecurity=False).digest()


def _cut(path: Path, what: str) -> DataError:
    return DataError(f"{path} is cut short ({what}): copy it again, or repeat the scan.")


def _bytes(path: Path, most: int = -1) -> bytes:
    try:
        if path.suffix.lower() != ".gz":
            with path.open("rb") as file:
                return file.read(most)
        with gzip.open(path) as file:
            return file.read(most)
    except EOFError as error:
        raise _cut(path, "its gzip stream has no end") from error
    except (OSError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}): copy it again.") from error


def _parsed(path: Path, content: bytes) -> Cbf:
    if not content:
        raise DataError(f"{path} is empty (0 bytes): the detector wrote nothing into it.")
    if not content.startswith(MAGIC):
        raise DataError(f"{path} is no CBF image: it begins with {content[:16]!r}.")
    end = content.find(BEGIN)
    if end < 0:
        raise _cut(path, "its header has no end")
    told = {
        key.decode(): value.decode("latin-1") for key, value in PROMISED.findall(content, 0, end)
    }
    dtype = TYPES.get(told.get("X-Binary-Element-Type", ""))
    if dtype is None or "BYTE_OFFSET" not in told.get("conversions", ""):
        raise DataError(
            f"{path} holds counts of the type {told.get('X-Binary-Element-Type')!r}, packed as "
            f"{told.get('conversions')!r}: only signed integers packed by byte offsets are read."
        )
    try:
        columns = int(told["X-Binary-Size-Fastest-Dimension"])
        rows = int(told["X-Binary-Size-Second-Dimension"])
        size = int(told["X-Binary-Size"])
    except (KeyError, ValueError) as error:
        raise DataError(f"{path} does not tell its size ({error}): copy it again.") from error
    text = content[:end].decode("latin-1")
    md5 = told.get("Content-MD5", "").strip()
    return Cbf(path, text, (rows, columns), np.dtype(dtype), size, md5, end + len(BEGIN))
