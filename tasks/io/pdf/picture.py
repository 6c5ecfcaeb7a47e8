"""One file of detector images, whatever its format: a look at it, and its frames."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import tifffile
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.pdf import cbf
from tasks.io.pdf.header import pairs_in, with_counters

if TYPE_CHECKING:
    from fabio import FabioFrame, FabioImage

SUFFIXES = (".tif", ".tiff", ".cbf", ".cbf.gz", ".edf", ".edf.gz")
MASK_SUFFIXES = (".npy", ".msk", ".mask")


@dataclass(frozen=True)
class Picture:
    """
    What a look at a file of images tells.

    Attributes
    ----------
    shape
        Frames, rows and columns.
    header
        Its words by their keys.
    marks_bad
        Whether negative counts mark pixels that do not count, as DECTRIS' detectors write them.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    header: dict[str, str]
    marks_bad: bool = False


def suffix_of(path: Path) -> str:
    """Return a file's suffix in small letters, with the one before ``.gz``."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    return "".join(suffixes) if suffixes[-1:] == [".gz"] else "".join(suffixes[-1:])


def is_picture(path: Path) -> bool:
    """Whether a file's name is that of detector images or of a mask."""
    return suffix_of(path) in (*SUFFIXES, *MASK_SUFFIXES) and not path.name.startswith(".")


def look(path: Path) -> Picture:
    """
    Look at a file without reading its images, where the format allows that.

    Raises
    ------
    DataError
        It is empty, cut short, damaged, of another format, or holds no grey images of numbers.
    """
    with _told(path):
        picture = _form(path)[0](path)
    if picture.dtype.kind not in "iufb" or 0 in picture.shape:
        raise DataError(
            f"{path} holds {picture.dtype} of the shape {picture.shape}, where an image of numbers "
            f"belongs: check what the detector writes."
        )
    return picture


def load(path: Path, frame: int = 0) -> NDArray[Any]:
    """
    Read one image, (rows, columns), in the file's own type.

    Raises
    ------
    DataError
        It is cut short or damaged.
    """
    with _told(path):
        return _form(path)[1](path, frame)


Form = tuple[Callable[[Path], Picture], Callable[[Path, int], NDArray[Any]]]


def _form(path: Path) -> Form:
    suffix = suffix_of(path)
    if suffix in (".cbf", ".cbf.gz"):
        return _look_cbf, lambda file, _: cbf.load(file)
    if suffix in (".tif", ".tiff", ".mask") and _is_tiff(path):
        return _look_tiff, _load_tiff
    if suffix == ".npy":
        return _look_array, lambda file, _: np.load(file, allow_pickle=False)
    if suffix in (".edf", ".edf.gz", ".msk", ".mask"):
        return _look_fabio, _load_fabio
    raise DataError(
        f"{path} is no TIFF image: it begins with {_begin(path)!r}. "
        f"Check what the detector writes under this name."
    )


@contextmanager
def _told(path: Path) -> Generator[None]:
    """Turn whatever a library says about a damaged file into a sentence."""
    try:
        if path.stat().st_size == 0:
            raise DataError(f"{path} is empty (0 bytes): the detector wrote nothing into it.")
        yield
    except DataError:
        raise
    except FileNotFoundError as error:
        raise DataError(f"{path} is not there: it was removed or renamed.") from error
    except Exception as error:  # damaged headers make these libraries raise anything
        raise DataError(
            f"{path} is no readable image ({error}): copy it again, or repeat the scan."
        ) from error


def _begin(path: Path, size: int = 16) -> bytes:
    with path.open("rb") as file:
        return file.read(size)


def _is_tiff(path: Path) -> bool:
    return _begin(path, 4) in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def _look_cbf(path: Path) -> Picture:
    image = cbf.look(path)
    return Picture((1, *image.shape), image.dtype, pairs_in(image.text), marks_bad=True)


def _look_tiff(path: Path) -> Picture:
    with tifffile.TiffFile(path) as tiff:
        page = cast(tifffile.TiffPage, tiff.pages[0])
        shape, dtype, count = page.shape, np.dtype(page.dtype), len(tiff.pages)
        end = max(map(sum, zip(page.dataoffsets, page.databytecounts, strict=True)), default=0)
        words = pairs_in(str(page.description))
    if end > path.stat().st_size:
        raise DataError(
            f"{path} is cut short: it is still written, or the disk was full. Copy it again."
        )
    if len(shape) != 2:
        raise DataError(f"{path} is no grey image (its shape is {shape}): check the detector.")
    is_dectris = "n_excluded_pixels" in words or "count_cutoff" in words
    return Picture((count, *shape), dtype, words, marks_bad=is_dectris and dtype.kind == "i")


def _load_tiff(path: Path, frame: int) -> NDArray[Any]:
    with tifffile.TiffFile(path) as tiff:
        return cast(tifffile.TiffPage, tiff.pages[frame]).asarray()


def _look_array(path: Path) -> Picture:
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if array.ndim != 2:
        raise DataError(f"{path} is no image: its shape is {array.shape}.")
    return Picture((1, *array.shape), array.dtype, {})


def _look_fabio(path: Path) -> Picture:
    import fabio

    with fabio.open(str(path)) as image:
        shape = tuple(int(side) for side in image.shape)
        size = path.stat().st_size
        ends = [(each.start or 0) + (each.blobsize or 0) for each in _blocks(path, image)]
        if max(ends, default=0) > size:
            raise DataError(
                f"{path} is cut short: {max(ends)} bytes are announced, {size} are there. "
                f"Copy it again, or repeat the scan."
            )
        if len(shape) != 2:
            raise DataError(f"{path} is no image: its shape is {shape}.")
        header = with_counters(image.header)
        return Picture((image.nframes, shape[0], shape[1]), np.dtype(image.dtype), header)


def _blocks(path: Path, image: FabioImage) -> Iterable[FabioFrame]:
    """Return the blocks of a file whose places in it are known; fabio fills what lacks with 0."""
    return image.frames() if suffix_of(path) == ".edf" else ()


def _load_fabio(path: Path, frame: int) -> NDArray[Any]:
    import fabio

    with fabio.open(str(path)) as image:
        values = np.array(image.get_frame(frame).data)
        if getattr(image.get_frame(frame), "incomplete_data", False):
            raise DataError(f"{path} is cut short: copy it again, or repeat the scan.")
        return values
