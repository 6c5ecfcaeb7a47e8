"""Crystals of many kinds, and days on which a usual reduction goes wrong."""

from collections.abc import Callable
from dataclasses import replace

from infra.simulator.mx.plan import KAPPA, Crystal, SweepPlan

CRYSTALS = {
    "P1": Crystal("P 1", (27.1, 32.0, 34.6, 88.3, 71.4, 67.9)),
    "P21": Crystal("P 1 21 1", (33.4, 44.8, 39.2, 90.0, 107.6, 90.0)),
    "C2": Crystal("C 1 2 1", (68.3, 39.7, 43.1, 90.0, 104.8, 90.0)),
    "P212121": Crystal("P 21 21 21", (31.4, 38.9, 44.2, 90.0, 90.0, 90.0)),
    "P43212": Crystal("P 43 21 2", (45.8, 45.8, 32.1, 90.0, 90.0, 90.0)),
    "I23": Crystal("I 2 3", (50.3, 50.3, 50.3, 90.0, 90.0, 90.0)),
    "R3": Crystal("R 3", (67.4, 67.4, 46.8, 90.0, 90.0, 120.0)),
}
"""One of each lattice, as small proteins have them."""


def off_centre(plan: SweepPlan) -> SweepPlan:
    """State a beam centre that is 3 mm off."""
    return replace(plan, claims=replace(plan.claims, beam_centre=(2.4, -1.8)))


def mosaic(plan: SweepPlan) -> SweepPlan:
    """Let the lattice spread four times as far."""
    return plan.of(mosaicity_deg=4 * plan.crystal.mosaicity_deg)


def decaying(plan: SweepPlan) -> SweepPlan:
    """Lose a third of the intensity, grow B by 6 Å2, and swing by 20 % with the crystal's shape."""
    return replace(plan, ageing=replace(plan.ageing, fading=0.33, b=6.0, absorption=0.2))


def damaged(plan: SweepPlan) -> SweepPlan:
    """Lose half of the crystal, more at high resolution, and most of its selenium."""
    aged = replace(plan.ageing, fading=0.5, b=15.0, site_loss=0.8)
    return replace(plan, ageing=aged).of(anomalous=("Se", 4))


def icy(plan: SweepPlan) -> SweepPlan:
    """Freeze water to diffuse rings and to grains."""
    return replace(plan, background=replace(plan.background, ice=12.0, grains=25))


def weak(plan: SweepPlan) -> SweepPlan:
    """Scatter a twelfth."""
    return plan.of(counts=plan.crystal.counts / 12)


def bright(plan: SweepPlan) -> SweepPlan:
    """Scatter so much that the strongest pixels cannot count on."""
    return plan.of(counts=30 * plan.crystal.counts)


def split(plan: SweepPlan) -> SweepPlan:
    """Show every spot twice, close together."""
    return plan.of(profile="double")


def tailed(plan: SweepPlan) -> SweepPlan:
    """Draw every spot out to one side."""
    return plan.of(profile="tail")


def shut(plan: SweepPlan) -> SweepPlan:
    """Keep the shutter closed for three images in the middle."""
    middle = plan.rotation.images // 2
    faults = replace(plan.faults, shutter_closed=(middle, middle + 1, middle + 2))
    return replace(plan, faults=faults)


def hot(plan: SweepPlan) -> SweepPlan:
    """Have hot pixels that nobody tells."""
    return replace(plan, detector=replace(plan.detector, hot=2e-4))


def second_lattice(plan: SweepPlan) -> SweepPlan:
    """Have a second crystal in the beam, with a third of the volume."""
    return plan.of(second_share=0.33, second_deg=4.0)


def twinned(plan: SweepPlan) -> SweepPlan:
    """Twin by a merohedral law, where the group has one, with a share of 0.35."""
    return plan.of(twin_fraction=0.35)


def pseudo_translated(plan: SweepPlan) -> SweepPlan:
    """Have four atoms of five a second time, half a cell along c."""
    return plan.of(pseudo_translation=((0.0, 0.0, 0.5), 0.8))


def anomalous(plan: SweepPlan) -> SweepPlan:
    """Have four selenium atoms and a wavelength at their peak."""
    return replace(plan, beam=replace(plan.beam, wavelength=0.9792)).of(anomalous=("Se", 4))


def inclined(plan: SweepPlan) -> SweepPlan:
    """Turn about omega on a kappa goniometer, the detector swung by 8 degrees."""
    detector = replace(plan.detector, two_theta_deg=8.0)
    return replace(plan, goniometer=KAPPA, detector=detector)


def aborted(plan: SweepPlan) -> SweepPlan:
    """End after two thirds of the images."""
    after = 2 * plan.rotation.images // 3
    return replace(plan, faults=replace(plan.faults, aborted_after=after))


def gappy(plan: SweepPlan) -> SweepPlan:
    """Lose an image on the way to disk."""
    return replace(plan, faults=replace(plan.faults, lost=(plan.rotation.images // 3,)))


def powder(plan: SweepPlan) -> SweepPlan:
    """Have a powder in the beam and no crystal."""
    return replace(plan, subject="powder")


def empty(plan: SweepPlan) -> SweepPlan:
    """Have an empty loop in the beam."""
    return replace(plan, subject="empty")


def salt(plan: SweepPlan) -> SweepPlan:
    """Have a crystal of salt in the beam, with the cell of ammonium sulphate."""
    return plan.of(
        space_group="P n m a",
        cell=(7.78, 10.64, 5.99, 90.0, 90.0, 90.0),
        counts=20 * plan.crystal.counts,
        b=2.0,
        d_min=0.9,
    )


CASES: dict[str, Callable[[SweepPlan], SweepPlan]] = {
    "off-centre": off_centre,
    "mosaic": mosaic,
    "decaying": decaying,
    "damaged": damaged,
    "icy": icy,
    "weak": weak,
    "bright": bright,
    "split": split,
    "tailed": tailed,
    "shut": shut,
    "hot": hot,
    "second-lattice": second_lattice,
    "twinned": twinned,
    "pseudo-translated": pseudo_translated,
    "anomalous": anomalous,
    "inclined": inclined,
    "aborted": aborted,
    "gappy": gappy,
    "powder": powder,
    "empty": empty,
    "salt": salt,
}
"""Changes of a plan, by name; powder, empty and salt have no crystal that can be solved."""
