"""What is to be measured: everything that makes one simulated sweep, as plain frozen values.

Lengths are in mm and Å, angles in degrees. The laboratory's frame is imgCIF's: x along the
goniometer's main axis, z towards the source. The defaults are a crystal such as tetragonal
lysozyme's on a small detector.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from uuid import uuid4

Vector = tuple[float, float, float]
Cell = tuple[float, float, float, float, float, float]
Profile = Literal["gaussian", "double", "tail"]
Subject = Literal["crystal", "powder", "empty"]
SOME_DAY = datetime(2026, 1, 17, 9, 30, tzinfo=UTC)  # of sweeps that are not identified


@dataclass(frozen=True)
class Beam:
    """The beam: its wavelength and how far that spreads (1 sigma of Δλ/λ), its divergence.

    `polarisation` is the share whose electric field lies along the laboratory's x.
    """

    wavelength: float = 1.0
    dispersion: float = 2e-4
    divergence_deg: float = 0.01
    polarisation: float = 0.99
    exposure: float = 0.05


@dataclass(frozen=True)
class Detector:
    """A detector that counts photons: modules of pixels with gaps between, rows and columns.

    `psf` is the width (1 sigma, pixels) of a photon's trace. A pixel that counted more than
    `saturation` says `saturation` + 1. The shares `dead` and `hot` of the pixels count nothing,
    or 50 in each image; the mask tells the dead ones, nobody tells the hot ones.
    `two_theta_deg` turns it about x. The shadow of the beam stop has a radius of `stop` in mm.
    """

    name: str = "Simulated 0.3M"
    shape: tuple[int, int] = (512, 512)
    module: tuple[int, int] = (250, 250)
    gap: tuple[int, int] = (12, 12)
    pixel: float = 0.15
    distance: float = 80.0
    two_theta_deg: float = 0.0
    centre: tuple[float, float] = (0.51, 0.485)  # of the shape, fast and slow, at 2theta 0
    sensor: str = "Si"
    thickness: float = 0.45
    psf: float = 0.4
    saturation: int = 100_000
    dead: float = 1e-4
    hot: float = 0.0
    stop: float = 1.5
    seed: int = 7


EIGER_4M = Detector("Eiger 4M", (2167, 2070), (514, 1030), (37, 10), 0.075, 150.0)
EIGER_9M = Detector("Eiger 9M", (3269, 3110), (514, 1030), (37, 10), 0.075, 200.0)
PILATUS_2M = Detector(
    "PILATUS 2M", (1679, 1475), (195, 487), (17, 7), 0.172, 200.0, thickness=0.32, psf=0.3
)
EIGER_1M = Detector("Eiger 1M", (1065, 1030), (514, 1030), (37, 10), 0.075, 80.0)


@dataclass(frozen=True)
class Goniometer:
    """Axes at zero angles, from the crystal outwards, their angles, and which one turns."""

    axes: tuple[Vector, ...] = ((1.0, 0.0, 0.0),)
    angles_deg: tuple[float, ...] = (0.0,)
    scan_axis: int = 0
    names: tuple[str, ...] = ("omega",)


KAPPA = Goniometer(
    axes=((1.0, 0.0, 0.0), (0.642788, 0.766044, 0.0), (1.0, 0.0, 0.0)),
    angles_deg=(20.0, 40.0, 0.0),
    scan_axis=2,
    names=("phi", "kappa", "omega"),
)
"""A kappa goniometer, its axis inclined by 50 degrees; omega turns."""


@dataclass(frozen=True)
class Rotation:
    """Where the first image begins, how far each turns (may be negative), how many there are."""

    start_deg: float = 0.0
    width_deg: float = 1.0
    images: int = 90


@dataclass(frozen=True)
class Crystal:
    """What is in the beam, and how it lies.

    Without a `structure` (a PDB or mmCIF file) atoms are drawn at random by `structure_seed`, as
    many as a protein has in half of such a cell. `orientation_seed` draws how it lies.
    `mosaicity_deg` (1 sigma) spreads the lattice's orientation, `size` (1 sigma in mm) the spots.
    `counts` is what an average reflection at low resolution has in a whole turn, before Lorentz's
    factor. `anomalous` scatterers (an element, how many per asymmetric unit) are added.
    The share `twin_fraction` lies by `twin_law` on the indices; that of `pseudo_translation` of
    the atoms are there once more, so far away (fractions of the cell). A `second` lattice, turned
    by so many degrees about an axis drawn at random, adds its share `second_share`.
    """

    space_group: str = "P 43 21 2"
    cell: Cell = (78.9, 78.9, 38.1, 90.0, 90.0, 90.0)
    structure: Path | None = None
    b: float = 18.0
    d_min: float = 1.6
    counts: float = 2000.0
    mosaicity_deg: float = 0.1
    size: float = 0.04
    profile: Profile = "gaussian"
    orientation_seed: int = 1
    structure_seed: int = 1
    anomalous: tuple[str, int] = ("Se", 0)
    twin_fraction: float = 0.0
    twin_law: tuple[tuple[int, int, int], ...] = ((0, 1, 0), (1, 0, 0), (0, 0, -1))
    pseudo_translation: tuple[Vector, float] = ((0.0, 0.0, 0.5), 0.0)
    second_share: float = 0.0
    second_deg: float = 4.0


@dataclass(frozen=True)
class Background:
    """Counts per pixel and degree of turn at the middle of the detector, and what adds to them.

    `air` falls off from the direct beam, `solvent` is a ring at 3.3 Å. `ice` is the height of a
    diffuse ring of hexagonal ice; `grains` so many crystals of ice make spots on each image.
    """

    air: float = 2.0
    solvent: float = 2.0
    ice: float = 0.0
    grains: int = 0


@dataclass(frozen=True)
class Ageing:
    """What changes along the sweep.

    All fades by the share `fading` until the end, and B grows by `b` in Å2. Sites of the
    anomalous scatterers lose the share `site_loss` of their occupancy. `absorption` is how much
    the crystal's shape lets the scale swing over a turn, `wobble` the beam from image to image.
    """

    fading: float = 0.0
    b: float = 0.0
    site_loss: float = 0.0
    absorption: float = 0.0
    wobble: float = 0.0


@dataclass(frozen=True)
class Faults:
    """What goes wrong: images with a closed shutter, and such as never come (from 0)."""

    shutter_closed: tuple[int, ...] = ()
    lost: tuple[int, ...] = ()
    aborted_after: int | None = None


@dataclass(frozen=True)
class Claims:
    """What the headers say that is not so: how far the beam centre (fast, slow, mm) is off."""

    beam_centre: tuple[float, float] = (0.0, 0.0)
    distance: float = 0.0
    space_group: str = ""
    cell: Cell | None = None


@dataclass(frozen=True)
class SweepPlan:
    """One sweep. The defaults make a good one; `seed` draws the noise.

    `uid` and `started_at` tell a sweep from another: `identified` draws them.
    """

    name: str = "sweep_1"
    subject: Subject = "crystal"
    beam: Beam = field(default_factory=Beam)
    detector: Detector = field(default_factory=Detector)
    goniometer: Goniometer = field(default_factory=Goniometer)
    rotation: Rotation = field(default_factory=Rotation)
    crystal: Crystal = field(default_factory=Crystal)
    background: Background = field(default_factory=Background)
    ageing: Ageing = field(default_factory=Ageing)
    faults: Faults = field(default_factory=Faults)
    claims: Claims = field(default_factory=Claims)
    seed: int = 0
    uid: str | None = None
    started_at: datetime | None = None
    sample: str = "simulated crystal"
    proposal: str = ""

    @property
    def written(self) -> int:
        """How many images come, lost ones among them."""
        after = self.faults.aborted_after
        return self.rotation.images if after is None else min(after, self.rotation.images)

    def identified(self) -> "SweepPlan":
        """Return the same plan as a sweep that is measured now, with a uid of its own."""
        return replace(self, uid=str(uuid4()), started_at=datetime.now(UTC))

    def of(self, **changes: object) -> "SweepPlan":
        """Return the plan with another crystal."""
        return replace(self, crystal=replace(self.crystal, **changes))
