"""How a sweep is cut into blocks of images that workers read by themselves."""

from dataclasses import dataclass
from pathlib import Path

from flows.mx.types import Opened
from flows.reduction import Reduction
from tasks.io.scan import ScanReference

SCRATCH = ".scratch"
_BYTES = 4  # of a count in memory
_SHARE = 0.25  # of a worker's memory that the images of a block may take
_FEWEST, _MOST = 4, 40


@dataclass(frozen=True)
class Block:
    """Consecutive images of a sweep; picklable.

    Attributes
    ----------
    data : ScanReference
        The sweep.
    first, stop : int
        Image coordinates.
    """

    data: ScanReference
    first: int
    stop: int


def blocks_of(run: Reduction, opened: Opened, fewest: int = _FEWEST) -> list[Block]:
    """Cut a sweep so that every worker has work, and no block is too large for its memory.

    Blocks have at least `fewest` images, where the memory and the sweep allow it.
    """
    limits = run.limits()
    _, rows, columns = opened.shape
    images = opened.images
    room = int(_SHARE * limits.memory / (_BYTES * rows * columns))
    even = -(-len(images) // (2 * limits.workers))
    size = max(_FEWEST, min(_MOST, room, max(even, fewest)))
    return [
        Block(opened.data, first, min(first + size, images.stop))
        for first in range(images.start, images.stop, size)
    ]


def scratch(run: Reduction) -> Path:
    """Return the folder of what workers read beside the sweep."""
    folder = run.folder / SCRATCH
    folder.mkdir(exist_ok=True)
    return folder
