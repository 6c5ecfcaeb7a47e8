"""What is to be measured: everything that makes one simulated series, as plain frozen values.

The noise is that of a good quick-scanning beamline (10⁶ counts per point before the sample);
`harder` makes a worse day of it.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from infra.simulator.xas import models

BRAGG = 12398.4198  # h c in eV Å
SOME_DAY = datetime(2026, 1, 17, 9, 30, tzinfo=UTC)  # of series that are not identified


@dataclass(frozen=True)
class Scan:
    """Sweeps of the monochromator: `start` and `stop` in eV from the edge, `seconds` each.

    The crystal swings as a cosine, up and down in turn. A sweep begins up to `trigger` points
    early or late. `d_spacing` is in Å.
    """

    start: float = -152.0
    stop: float = 788.0
    points: int = 1200
    seconds: float = 0.5
    trigger: float = 0.5
    d_spacing: float = 3.13551


@dataclass(frozen=True)
class EnergyScale:
    """How far the recorded energy is off, in eV.

    `trend` grows over the series as the crystal warms; `oscillation` comes and goes `periods`
    times; `jitter` is drawn per sweep, `reading` per point; the encoder lags by `hysteresis`
    behind the way it moves; `stretch` is a relative error of the distance from the edge, and
    `offset` is always there.
    """

    trend: float = 0.4
    oscillation: float = 0.15
    periods: float = 3.0
    jitter: float = 0.02
    hysteresis: float = 0.12
    reading: float = 0.01
    stretch: float = 0.0
    offset: float = 0.0


@dataclass(frozen=True)
class Beam:
    """The beam before the sample: `counts` per point, and how they depend on energy and time.

    `waves` and `slope` (1/eV) shape the spectrum, `glitches` are (eV from the edge, width in eV,
    relative depth), `wobble` is the relative change from sweep to sweep.
    """

    counts: float = 1e6
    waves: float = 0.1
    slope: float = 2e-4
    glitches: tuple[tuple[float, float, float], ...] = ((93.3, 0.6, -0.18), (279.8, 0.9, -0.10))
    wobble: float = 0.02


@dataclass(frozen=True)
class Sample:
    """The sample in the beam.

    The edge step falls from `edge_step` by the share `loss`. `matrix` is the absorption of
    everything but the element at the edge, `windows` what does not depend on the energy.
    `expansion` is how much longer the bonds are at the end of the series (the standards know
    nothing of it). Fluorescence is that of a thick sample of `formula`, seen at these angles to
    its surface, in degrees.
    """

    edge_step: float = 1.1
    loss: float = 0.25
    matrix: float = 0.75
    windows: float = 0.2
    expansion: float = 0.0
    formula: str = "Fe2Si4O11"
    angle_in: float = 45.0
    angle_out: float = 45.0


@dataclass(frozen=True)
class Detectors:
    """Ion chambers and fluorescence detectors.

    `electronic` noise and `dark` level are in counts; `nonlinearity` is the relative error of the
    chambers behind the sample between an empty and a full beam; `foil_step` belongs to the
    reference foil. The fluorescence is `efficiency` times the beam, in one diode, or in
    `channels` counting ones with a `dead_time` in s, each with `scatter` of the same strength
    beside the line.
    """

    electronic: float = 30.0
    dark: float = 0.0
    nonlinearity: float = 0.01
    foil_step: float = 1.6
    foil_rest: float = 0.6
    efficiency: float = 0.02
    channels: int = 0
    dead_time: float = 1e-7
    scatter: float = 0.3
    noise: bool = True


@dataclass(frozen=True)
class Faults:
    """How many of the sweeps go wrong, as shares.

    In a `bubble` the sample lets more or less through for a while; in a `dump` the beam is lost
    within a sweep; `no_beam` loses a whole one; `closed` leaves the shutter before the sample
    shut. `refills` of the ring and single-point `spikes` do not spoil a sweep.
    """

    bubbles: float = 0.01
    dumps: float = 0.005
    no_beam: float = 0.0025
    closed: float = 0.0025
    refills: float = 0.005
    spikes: float = 0.02


NO_FAULTS = Faults(0, 0, 0, 0, 0, 0)


@dataclass(frozen=True)
class SeriesPlan:
    """One series. The defaults make a good one; `seed` draws everything that is random.

    `names` are what the sample consists of, one turning into the next at `rates` per series, or
    mixed for good in `fractions`. Those in `missing` are left out where standards are written.
    The names are those of models, or of XDI files in the folder `standards`. `claimed_element`
    is what the metadata say. `uid` and `started_at` tell a series from another: `identified`
    draws them.
    """

    name: str = "series_0001"
    sweeps: int = 400
    names: tuple[str, ...] = ("Fe2O3", "FeO", "Fe")
    rates: tuple[float, ...] = (6.0, 2.5)
    fractions: tuple[float, ...] | None = None
    missing: tuple[str, ...] = ()
    standards: Path | None = None
    element: str = models.ELEMENT
    edge: str = models.EDGE
    e0: float = models.E0
    foil: str = "Fe"
    foil_element: str = models.ELEMENT
    claimed_element: str | None = None
    scan: Scan = field(default_factory=Scan)
    scale: EnergyScale = field(default_factory=EnergyScale)
    beam: Beam = field(default_factory=Beam)
    sample: Sample = field(default_factory=Sample)
    detectors: Detectors = field(default_factory=Detectors)
    faults: Faults = field(default_factory=Faults)
    seed: int = 0
    uid: str | None = None
    started_at: datetime | None = None
    title: str = "simulated reduction of an oxide"
    sample_name: str = "iron oxide in hydrogen"
    proposal: str = ""

    def identified(self) -> "SeriesPlan":
        """Return the same plan as a series that is measured now, with a uid of its own."""
        return replace(self, uid=str(uuid4()), started_at=datetime.now(UTC))

    def time_of(self, sweep: int) -> datetime:
        """Return when a sweep begins."""
        return (self.started_at or SOME_DAY) + timedelta(seconds=sweep * self.scan.seconds)


def harder(plan: SeriesPlan) -> SeriesPlan:
    """Return the plan on a worse day: a quarter of the light, more drift, worse chambers."""
    return replace(
        plan,
        beam=replace(plan.beam, counts=plan.beam.counts / 4, waves=0.2),
        scale=replace(plan.scale, trend=1.0, oscillation=0.3, jitter=0.04, hysteresis=0.2),
        detectors=replace(plan.detectors, nonlinearity=0.05),
    )


def perfect(plan: SeriesPlan) -> SeriesPlan:
    """Return the plan without noise, drift, non-linearity, glitches and faults."""
    return replace(
        plan,
        scan=replace(plan.scan, trigger=0.0),
        scale=EnergyScale(0, 0, 0, 0, 0, 0),
        beam=replace(plan.beam, glitches=()),
        detectors=replace(plan.detectors, noise=False, nonlinearity=0.0, electronic=0.0),
        faults=NO_FAULTS,
    )
