"""What the first stages of the crystallography flow hand to one another."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.mx.recipe import Grid
from tasks.io.diffraction import Geometry
from tasks.io.scan import ScanReference
from tasks.mx.crystal import Crystal
from tasks.mx.grid_scan import GridScan
from tasks.mx.image_figures import ImageFigures
from tasks.mx.mosaicity import Mosaicity
from tasks.mx.refine import Refined
from tasks.mx.reflections import Observations, Reflections, Spots
from tasks.mx.seen import Seen

Floats = NDArray[np.float64]
Doubts = dict[str, tuple[str, ...]]
"""Sentences for the user, by the rule of the verdict that they belong to."""
Cell = tuple[float, float, float, float, float, float]


@dataclass(frozen=True)
class Known:
    """What is known of the crystal before it is measured, and who says it.

    Attributes
    ----------
    cell : tuple of float or None
        a, b, c in Å, then the angles in degrees.
    space_group : str
        Hermann-Mauguin symbol; empty where nobody says it.
    sequence : str
        Of the protein, in one-letter words; empty where nobody says it.
    said_by : mapping of str to str
        ``recipe``, ``sample`` (in the catalogue), ``data`` or ``reference``, by what they say.
    """

    cell: Cell | None = None
    space_group: str = ""
    sequence: str = ""
    said_by: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Opened:
    """A sweep that can be reduced: what it is, and how it was measured.

    Attributes
    ----------
    data : ScanReference
        Where it stands.
    shape : tuple of int
        Images planned, rows and columns.
    images : range
        Image coordinates that are to be used, lost ones among them.
    lost : tuple of int
        Those that are not there.
    geometry : Geometry
        As the data tell it.
    saturation : float or None
        Counts above which a pixel is overloaded.
    known : Known
        What is known of the crystal.
    grid : Grid or None
        Of a grid scan.
    title : str
        What the data call themselves.
    metadata : dict
        What the data say.
    doubts : dict
        Sentences by rule.
    """

    data: ScanReference
    shape: tuple[int, int, int]
    images: range
    lost: tuple[int, ...]
    geometry: Geometry
    saturation: float | None
    known: Known
    grid: Grid | None
    title: str
    metadata: Mapping[str, Any]
    doubts: Doubts = field(default_factory=Doubts)


@dataclass(frozen=True)
class Spotted:
    """Strong spots of a sweep, and what its images are like.

    Attributes
    ----------
    spots : Spots
        Of all images.
    figures : ImageFigures
        Of each image.
    seen : Seen
        Whether it is single-crystal diffraction at all.
    dark : tuple of int
        Images, from 0 in the sweep, on which the shutter was closed or the beam away.
    grid : GridScan or None
        Of a grid scan: where the sample diffracts.
    ends_at : str
        Why there is nothing to index; empty where there is.
    doubts : dict
        Sentences by rule.
    """

    spots: Spots
    figures: ImageFigures
    seen: Seen
    dark: tuple[int, ...] = ()
    grid: GridScan | None = None
    ends_at: str = ""
    doubts: Doubts = field(default_factory=Doubts)


@dataclass(frozen=True)
class IndexedStill:
    """One image that was indexed by itself.

    Attributes
    ----------
    image : int
        From 0 in the dataset.
    crystal : Crystal
        As it lies at zero angles of the goniometer.
    share : float
        Of the image's spots that are indexed.
    rmsd : tuple of float
        Of predicted and observed spots, fast and slow in pixels.
    """

    image: int
    crystal: Crystal
    share: float
    rmsd: tuple[float, float]


@dataclass(frozen=True)
class Stills:
    """What became of stills: those that are indexed, and how many images there are."""

    indexed: tuple[IndexedStill, ...]
    images: int

    @property
    def share(self) -> float:
        """Of the images, that is indexed."""
        return len(self.indexed) / max(self.images, 1)

    @property
    def sentence(self) -> str:
        """For the user."""
        return (
            f"{len(self.indexed)} of {self.images} stills are indexed with the known cell; "
            "intensities of stills are not integrated."
        )


@dataclass(frozen=True)
class Placed:
    """The crystal in the laboratory: indexed and refined.

    Attributes
    ----------
    refined : Refined or None
        Crystal and geometry; None where the spots were not indexed.
    share : float
        Of the spots that are indexed.
    tried : tuple of str
        What was tried and found.
    stills : Stills or None
        Where each image is indexed by itself.
    ends_at : str
        Why there is nothing to integrate; empty where there is.
    doubts : dict
        Sentences by rule.
    """

    refined: Refined | None
    share: float
    tried: tuple[str, ...] = ()
    ends_at: str = ""
    stills: Stills | None = None
    doubts: Doubts = field(default_factory=Doubts)


@dataclass(frozen=True)
class Integrated:
    """Intensities of all reflections of a sweep.

    Attributes
    ----------
    reflections : Reflections or None
        As they were recorded; None where nothing was integrated.
    observations : Observations or None
        Those that count, corrected for their geometry.
    mosaicity : Mosaicity
        The widths of reflections.
    d_min : float
        Resolution to which reflections were predicted, Å.
    ends_at : str
        Why nothing was integrated; empty where it was.
    doubts : dict
        Sentences by rule.
    """

    reflections: Reflections | None
    observations: Observations | None
    mosaicity: Mosaicity
    d_min: float
    ends_at: str = ""
    doubts: Doubts = field(default_factory=Doubts)
