"""The CBF byte-offset compression: each pixel as its difference to the one before.

One byte where that fits, else 0x80 and two bytes, else 0x8000 after it and four, else 0x80000000
after that and eight; all little-endian (Bernstein & Ellis, International Tables for
Crystallography G, chapter 5.6).
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray


def compressed(image: NDArray[np.int32]) -> bytes:
    """Compress an image."""
    room = np.empty(15 * image.size, np.uint8)
    return room[: _compress(image.ravel(), room)].tobytes()


@njit(cache=True, nogil=True)
def _compress(pixels: NDArray[np.int32], room: NDArray[np.uint8]) -> int:
    at, before = 0, 0
    for pixel in pixels:
        step = int(pixel) - before
        before = int(pixel)
        if -127 <= step <= 127:
            room[at] = step & 0xFF
            at += 1
            continue
        room[at] = 0x80
        at += 1
        size = 2
        if not -32767 <= step <= 32767:
            room[at], room[at + 1] = 0x00, 0x80
            at += 2
            size = 4
        if not -(2**31) < step < 2**31:
            for shift in range(4):
                room[at + shift] = 0x80 if shift == 3 else 0
            at += 4
            size = 8
        for shift in range(size):
            room[at] = (step >> (8 * shift)) & 0xFF
            at += 1
    return at
