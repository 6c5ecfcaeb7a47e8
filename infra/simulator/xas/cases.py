"""Days on which the usual analysis goes wrong, each as a change of a plan."""

from collections.abc import Callable
from dataclasses import replace

from infra.simulator.xas.plan import SeriesPlan, harder, perfect


def missing_standard(plan: SeriesPlan, name: str = "FeS2") -> SeriesPlan:
    """Let a compound come and go that the standards do not have, in the middle of the chain."""
    first, *others = plan.names
    rate, *rates = plan.rates
    middle = (rate + rates[0]) / 2
    return replace(
        plan,
        names=(first, name, *others),
        rates=(rate, middle, *rates),
        missing=(name,),
    )


def heated(plan: SeriesPlan) -> SeriesPlan:
    """Let the bonds grow by 1 % over the series: nothing is isosbestic any more."""
    return replace(plan, sample=replace(plan.sample, expansion=0.01))


def wrong_element(plan: SeriesPlan) -> SeriesPlan:
    """Claim copper in the metadata."""
    return replace(plan, claimed_element="Cu")


def stretched(plan: SeriesPlan) -> SeriesPlan:
    """Let the energy scale be 0.2 % too long from the edge on, as with a wrong lattice spacing."""
    return replace(plan, scale=replace(plan.scale, stretch=2e-3))


def truncated(plan: SeriesPlan) -> SeriesPlan:
    """Begin 15 eV before the edge: there is no pre-edge to speak of."""
    return replace(plan, scan=replace(plan.scan, start=-15.0))


def xanes(plan: SeriesPlan) -> SeriesPlan:
    """Measure 60 eV before to 120 eV behind the edge only."""
    return replace(plan, scan=replace(plan.scan, start=-60.0, stop=120.0, points=360))


def over_absorbed(plan: SeriesPlan) -> SeriesPlan:
    """Look at the fluorescence of the pure oxide, towards the detector."""
    sample = replace(plan.sample, formula="Fe2O3", angle_in=60.0, angle_out=30.0)
    return replace(plan, sample=sample)


def dead_time(plan: SeriesPlan) -> SeriesPlan:
    """Count the fluorescence with four channels that are busy a third of the time."""
    return replace(plan, detectors=replace(plan.detectors, channels=4))


CASES: dict[str, Callable[[SeriesPlan], SeriesPlan]] = {
    "missing": missing_standard,
    "heated": heated,
    "wrong-element": wrong_element,
    "stretched": stretched,
    "truncated": truncated,
    "xanes": xanes,
    "over-absorbed": over_absorbed,
    "dead-time": dead_time,
    "harder": harder,
    "perfect": perfect,
}
