"""Stills: each image by itself, indexed with the crystal's known cell."""

from dataclasses import dataclass
from functools import partial

from flows.mx.types import Cell, IndexedStill, Opened, Placed, Spotted, Stills
from flows.reduction import Reduction
from tasks.io.diffraction import Geometry, open_images
from tasks.io.scan import ScanReference
from tasks.mx.index import NotIndexed
from tasks.mx.spots import find_spots
from tasks.mx.stills import index_still

_FEWEST = 10  # spots of an image that is worth the search
_AT_ONCE = 8  # images of one order
_NO_CELL = (
    "Not indexed: stills are indexed with the crystal's known cell, and nobody says it. Give it in "
    "the recipe (cell), or with the sample."
)


@dataclass(frozen=True)
class Terms:
    """What holds for all images; picklable."""

    data: ScanReference
    geometry: Geometry
    cell: Cell
    space_group: str


def place_stills(run: Reduction, opened: Opened, spotted: Spotted) -> Placed:
    """Index all images that have spots enough, on the cluster."""
    known = opened.known
    if known.cell is None:
        return Placed(None, 0.0, ends_at=_NO_CELL)
    figures = spotted.figures
    numbers = [int(each) for each in figures.image[figures.spots >= _FEWEST]]
    orders = [numbers[at : at + _AT_ONCE] for at in range(0, len(numbers), _AT_ONCE)]
    terms = Terms(opened.data, opened.geometry, known.cell, known.space_group or "P 1")
    parts = list(run.work_through("Stills", partial(index_images, terms=terms), orders))
    found = Stills(tuple(each for part in parts for each in part), len(figures))
    return Placed(None, found.share, stills=found, ends_at=found.sentence)


def index_images(numbers: list[int], cores: int = 1, *, terms: Terms) -> list[IndexedStill]:
    """Index some images, each with its own spots; runs on a worker."""
    found: list[IndexedStill] = []
    with open_images(terms.data) as images:
        for number in numbers:
            image = images.read(slice(number, number + 1))
            gain = terms.geometry.detector.gain
            spots = find_spots(image, images.mask, number, gain, images.saturation)
            try:
                still = index_still(spots, terms.geometry, terms.cell, terms.space_group)
            except NotIndexed:
                continue
            share = float(still.indexed.mean())
            found.append(IndexedStill(number, still.crystal, share, still.rmsd))
    return found
