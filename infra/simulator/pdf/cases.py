"""Days on which the usual reduction goes wrong, each as a change of a plan."""

from collections.abc import Callable
from dataclasses import replace

from infra.simulator.pdf.plan import Claims, Geometry, ScanPlan


def _claiming(plan: ScanPlan, claims: Claims) -> ScanPlan:
    return replace(plan, claims=claims)


def wrong_wavelength(plan: ScanPlan) -> ScanPlan:
    """State a wavelength that is 5 % too long, in metadata and .poni."""
    return _claiming(plan, replace(plan.claims, wavelength=1.05 * plan.geometry.wavelength))


def other_detector(plan: ScanPlan) -> ScanPlan:
    """Hand over the .poni of a detector of the wrong size, with the wrong pixels."""
    other = Geometry(pixel1=172e-6, pixel2=172e-6, rows=1679, columns=1475)
    return _claiming(plan, replace(plan.claims, geometry=other))


def impossible_composition(plan: ScanPlan) -> ScanPlan:
    """Name a composition with an element that there is not."""
    return _claiming(plan, replace(plan.claims, formula="Xx2O3"))


def another_composition(plan: ScanPlan) -> ScanPlan:
    """Name a composition that is a possible one, though not this sample's."""
    return _claiming(plan, replace(plan.claims, formula="Al2O3"))


def strong_background(plan: ScanPlan) -> ScanPlan:
    """Believe in 20 times the beam: the background comes off far too often."""
    return _claiming(plan, replace(plan.claims, monitor=20.0))


def wrong_monitor(plan: ScanPlan) -> ScanPlan:
    """Count 5 % too much of the beam."""
    return _claiming(plan, replace(plan.claims, monitor=1.05))


def saturated(plan: ScanPlan) -> ScanPlan:
    """Let in so much light that the rings cannot be counted."""
    return replace(plan, faults=replace(plan.faults, light=40.0))


def textured(plan: ScanPlan) -> ScanPlan:
    """Prefer an orientation: rings are not as bright all around."""
    return replace(plan, sample=replace(plan.sample, texture=0.4))


def spotty(plan: ScanPlan) -> ScanPlan:
    """Let 25 large grains make spots."""
    return replace(plan, sample=replace(plan.sample, grains=25))


def dumped(plan: ScanPlan) -> ScanPlan:
    """Lose the beam in two frames, and get another one twice."""
    last = plan.frames - 1
    return replace(
        plan,
        faults=replace(plan.faults, dumps=(last // 2, last // 2 + 1), stalls=(last,)),
    )


def drifting(plan: ScanPlan) -> ScanPlan:
    """Lose a third of the beam over the scan."""
    return replace(plan, beam=replace(plan.beam, drift=0.33))


def tilted(plan: ScanPlan) -> ScanPlan:
    """Tilt the detector by two and by one degrees."""
    geometry = replace(plan.geometry, rot1=0.035, rot2=-0.0175, rot3=0.01)
    return replace(plan, geometry=geometry)


CASES: dict[str, Callable[[ScanPlan], ScanPlan]] = {
    "wrong-wavelength": wrong_wavelength,
    "other-detector": other_detector,
    "impossible-composition": impossible_composition,
    "another-composition": another_composition,
    "strong-background": strong_background,
    "wrong-monitor": wrong_monitor,
    "saturated": saturated,
    "textured": textured,
    "spotty": spotty,
    "dumped": dumped,
    "drifting": drifting,
    "tilted": tilted,
}
