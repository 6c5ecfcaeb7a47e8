"""What is to be measured: everything that makes one simulated scan, as plain frozen values.

The defaults are a good day at a high-energy beamline: 74 keV, a powder in a Kapton capillary, a
counting detector beside the beam that sees up to 24 1/Å all around a quarter.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import uuid4

from infra.simulator.pdf import materials
from infra.simulator.pdf.materials import Material

Kind = Literal["sample", "calibrant", "container", "empty", "dark", "flat"]
Container = Literal["kapton", "quartz", "aluminium", "none"]
SOME_DAY = datetime(2026, 1, 17, 9, 30, tzinfo=UTC)  # of scans that are not identified


@dataclass(frozen=True)
class Geometry:
    """Where the detector stands, in the convention of pyFAI (m, rad), and the wavelength in Å."""

    distance: float = 0.25
    poni1: float = 0.010
    poni2: float = 0.012
    rot1: float = 0.004
    rot2: float = -0.003
    rot3: float = 0.0
    pixel1: float = 2e-4
    pixel2: float = 2e-4
    rows: int = 1024
    columns: int = 1024
    wavelength: float = 0.1671

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.rows, self.columns


@dataclass(frozen=True)
class Beam:
    """The beam: `photons` per mm2 and s on the sample, `height` of it in mm along the capillary.

    It is `polarisation` polarised along the rows. Over a scan it loses the share `drift` and
    wobbles by `wobble`; the monitor knows. `monitor` counts as much per s where the beam is
    whole. `air` is how many mm of air the detector sees, `exposure` how many s a frame takes.
    """

    photons: float = 2e11
    exposure: float = 1.0
    height: float = 0.5
    polarisation: float = 0.99
    drift: float = 0.03
    wobble: float = 0.01
    monitor: float = 1e6
    air: float = 40.0


@dataclass(frozen=True)
class Sample:
    """What is in the beam.

    `phases` turn from the first into the last as the plan's evolution has it. The powder fills
    the share `packing` of a capillary of `diameter` (outside) and `wall` in mm. `grains` single
    crystals among it make spots; `texture` is how much more of the pattern there is along the
    rows than on average. `temperature` in K is what the metadata say.
    """

    phases: tuple[Material, ...] = (materials.NICKEL,)
    name: str = "nickel powder"
    packing: float = 0.5
    container: Container = "kapton"
    diameter: float = 1.0
    wall: float = 0.05
    grains: int = 0
    texture: float = 0.0
    temperature: float = 295.0

    @property
    def formula(self) -> str:
        """Its composition; all phases have the same."""
        return self.phases[0].formula


@dataclass(frozen=True)
class Detector:
    """A detector that counts photons.

    Its `sensor` of so many mm `thickness` lets through more of what comes steeply. The shares
    `dead` and `hot` of the pixels do nothing, or count what they like; `gaps` between modules are
    `gap` pixels wide every `module` pixels. A pixel says `saturation` where it cannot count on.
    `dark` counts come per pixel and s, `uneven` is the relative scatter of the pixels' response.
    The beam stop, on an arm, has a radius of `stop` in m and lets the share `leak` through.
    """

    sensor: str = "CdTe"
    thickness: float = 1.0
    dead: float = 5e-4
    hot: float = 2e-4
    module: int = 256
    gap: int = 6
    saturation: int = 2**20 - 1
    dark: float = 0.0
    uneven: float = 0.0
    stop: float = 0.003
    leak: float = 0.02
    seed: int = 7


@dataclass(frozen=True)
class Evolution:
    """How a sample changes over a scan.

    Lengths grow by `expansion` and displacements by `softening`, steadily; the first phase turns
    into the last about `middle` of the scan, in `width` of it, if there are two.
    """

    expansion: float = 0.0
    softening: float = 0.0
    middle: float = 0.5
    width: float = 0.08


@dataclass(frozen=True)
class Faults:
    """What goes wrong: frames without beam, frames that the detector sends once more.

    `light` is how much more light there is than planned, enough of it saturates.
    """

    dumps: tuple[int, ...] = ()
    stalls: tuple[int, ...] = ()
    light: float = 1.0


@dataclass(frozen=True)
class Claims:
    """What the metadata and the .poni say that is not so; None for what is true.

    The monitor claims `monitor` times the beam.
    """

    wavelength: float | None = None
    formula: str | None = None
    density: float | None = None
    geometry: Geometry | None = None
    monitor: float = 1.0


@dataclass(frozen=True)
class ScanPlan:
    """One scan. The defaults make a good one; `seed` draws everything that is random.

    `uid` and `started_at` tell a scan from another: `identified` draws them.
    """

    name: str = "scan_0001"
    kind: Kind = "sample"
    frames: int = 1
    geometry: Geometry = field(default_factory=Geometry)
    beam: Beam = field(default_factory=Beam)
    sample: Sample = field(default_factory=Sample)
    detector: Detector = field(default_factory=Detector)
    evolution: Evolution = field(default_factory=Evolution)
    faults: Faults = field(default_factory=Faults)
    claims: Claims = field(default_factory=Claims)
    seed: int = 0
    uid: str | None = None
    started_at: datetime | None = None
    title: str = "simulated total scattering"
    proposal: str = ""

    def identified(self) -> "ScanPlan":
        """Return the same plan as a scan that is measured now, with a uid of its own."""
        return replace(self, uid=str(uuid4()), started_at=datetime.now(UTC))

    def time_of(self, frame: int) -> datetime:
        """Return when a frame begins."""
        return (self.started_at or SOME_DAY) + timedelta(seconds=frame * self.beam.exposure)

    def of(self, *phases: Material, **changes: object) -> "ScanPlan":
        """Return the plan with another sample."""
        named = {"name": phases[0].name, **changes}
        return replace(self, sample=replace(self.sample, phases=phases, **named))

    def as_kind(self, kind: Kind, name: str, **changes: object) -> "ScanPlan":
        """Return the plan of a calibration that goes with this one, under the same conditions."""
        quiet = replace(self, evolution=Evolution(), faults=Faults(), claims=Claims(), frames=1)
        other = replace(quiet, kind=kind, name=name, seed=self.seed + 1000, **changes)
        return replace(other, uid=str(uuid4())) if self.uid else other


def small(plan: ScanPlan) -> ScanPlan:
    """Return the plan with a quarter of the pixels over the same range, each twice as wide."""
    geometry = replace(plan.geometry, pixel1=4e-4, pixel2=4e-4, rows=512, columns=512)
    return replace(plan, geometry=geometry, detector=replace(plan.detector, module=128, gap=3))
