"""The truth of a plan: which reflections show, where, and how bright."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from infra.simulator.mx import background, crossings, instrument, structure
from infra.simulator.mx.crossings import Crossings
from infra.simulator.mx.paint import REACH, survey
from infra.simulator.mx.pixels import pixels_of
from infra.simulator.mx.plan import SweepPlan
from infra.simulator.mx.spots import PROFILES, covariance
from infra.simulator.mx.truth import Truth

Array = NDArray[np.float64]
MARGIN = 4.0  # pixels beyond the detector's edge from where a spot may reach in
MIDDLE = 2.0  # sigma about a spot's centre within which no pixel may lack


@dataclass(frozen=True)
class _Parts:
    row: NDArray[np.int32]
    image: NDArray[np.int32]
    share: Array


def truth_of(plan: SweepPlan) -> Truth:
    """Return the truth of a plan."""
    shares = [1 - plan.crystal.second_share, plan.crystal.second_share]
    if plan.subject != "crystal":
        shares = []
    columns = [_columns(plan, lattice, share) for lattice, share in enumerate(shares) if share > 0]
    if not columns:
        columns = [_columns(plan, 0, 0.0)]
    joined = {name: np.concatenate([each[name] for each in columns]) for name in columns[0]}
    return _with_parts(plan, joined)


def _columns(plan: SweepPlan, lattice: int, share: float) -> dict[str, NDArray[Any]]:
    """Return what does not depend on pixels, of one lattice."""
    crystal, beam = plan.crystal, plan.beam
    hkl = structure.all_indices(crystal)
    begin, end = structure.intensities(crystal, hkl, beam.wavelength)
    number = np.column_stack([hkl, np.arange(len(hkl), dtype=np.int32)])
    hkl_rows = number if share > 0 else number[:0]
    found = crossings.crossings(plan, hkl_rows[:, :3], lattice)
    found, seen = _on_detector(plan, found)
    rows = _rows_of(hkl, found.hkl)
    progress = np.clip(found.z / plan.rotation.images, 0, 1)
    lost = plan.ageing.site_loss * progress
    polarisation = instrument.polarised(found.rays, beam.polarisation)
    scale = share * ageing(plan, progress, found.z, found.d)
    strength = (1 - lost) * begin[rows] + lost * end[rows]
    return {
        "hkl": found.hkl,
        "lattice": np.full(len(rows), lattice, np.int32),
        "xyz": np.column_stack([seen.x, seen.y, found.z]),
        "z_sigma": crossings.rocking_deg(plan, found) / abs(plan.rotation.width_deg),
        "shape": covariance(plan, found.rays, found.two_theta, seen),
        "d": found.d,
        "zeta": found.zeta,
        "lorentz": found.lorentz,
        "polarisation": polarisation,
        "efficiency": seen.efficiency,
        "scale": scale,
        "squared": begin[rows],
        "counts": strength * found.lorentz * polarisation * seen.efficiency * scale,
        "background": background.at_rays(plan, found.rays),
    }


def ageing(plan: SweepPlan, progress: Array, z: Array, d: Array) -> Array:
    """Return what fading, a growing B and the crystal's shape make of intensities, (n,)."""
    age = plan.ageing
    faded = (1 - age.fading) ** progress * np.exp(-age.b * progress / (2 * d**2))
    angle = np.radians(plan.rotation.start_deg + z * plan.rotation.width_deg)
    return faded * (1 + age.absorption * np.cos(2 * angle + 0.7))


def beam_of(plan: SweepPlan) -> Array:
    """Return the beam on each image, 0 where the shutter is closed, (images,)."""
    random = np.random.default_rng([9, plan.seed])
    beam = 1 + plan.ageing.wobble * random.standard_normal(plan.rotation.images)
    beam[list(plan.faults.shutter_closed)] = 0.0
    return np.clip(beam, 0, None)


def _rows_of(hkl: NDArray[np.int32], wanted: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return where the wanted indices stand among sorted ones."""
    top = int(np.abs(hkl).max(initial=0)) + 1
    weight = np.array([(2 * top + 1) ** 2, 2 * top + 1, 1], dtype=np.int64)
    keys = hkl @ weight
    order = np.argsort(keys)
    return order[np.searchsorted(keys, wanted @ weight, sorter=order)]


def _on_detector(plan: SweepPlan, found: Crossings) -> tuple[Crossings, instrument.Seen]:
    detector = plan.detector
    plane = instrument.plane_of(detector)
    seen = instrument.seen(detector, plane, found.rays, plan.beam.wavelength)
    height, width = detector.shape
    near = (seen.x > -MARGIN) & (seen.x < width + MARGIN)
    rows = np.flatnonzero(near & (seen.y > -MARGIN) & (seen.y < height + MARGIN))
    kept = crossings.take(found, rows)
    return kept, instrument.seen(detector, plane, kept.rays, plan.beam.wavelength)


def _with_parts(plan: SweepPlan, columns: dict[str, NDArray[Any]]) -> Truth:
    """Add what pixels and images make of the reflections."""
    pixels, beam = pixels_of(plan.detector), beam_of(plan)
    parts = _parts(plan, columns["xyz"][:, 2], columns["z_sigma"])
    number = len(columns["hkl"])
    came = np.zeros(plan.rotation.images)
    came[: plan.written] = beam[: plan.written]
    came[list(plan.faults.lost)] = 0.0
    recorded = np.bincount(parts.row, parts.share * came[parts.image], number).astype(float)
    strongest = np.zeros(number)
    np.maximum.at(strongest, parts.row, parts.share * beam[parts.image])
    squares = np.bincount(parts.row, parts.share**2, number)
    out = pixels.masked | pixels.shadow
    largest, flat, lacking = survey(columns["xyz"], columns["shape"], out, MIDDLE)
    with np.errstate(divide="ignore"):
        area = 1 / (flat * squares)
    centre = instrument.beam_centre(instrument.plane_of(plan.detector), plan.detector.pixel)
    second = plan.crystal.second_share > 0
    model = structure.model_of(plan.crystal)
    expected = columns["counts"] * largest * strongest + columns["background"]
    return Truth(
        a_matrix=crossings.a_matrix(plan),
        cell=np.array(model.cell.parameters),
        space_group=model.group.xhm(),
        second_a_matrix=crossings.a_matrix(plan, 1) if second else np.zeros((3, 3)),
        beam_centre=np.array(centre),
        recorded=recorded,
        pixels=area,
        overloaded=expected > plan.detector.saturation,
        lacking=lacking,
        part_of=parts.row,
        part_image=parts.image,
        part=parts.share,
        **columns,
    )


def _parts(plan: SweepPlan, z: Array, sigma: Array) -> _Parts:
    """Return which share of each reflection falls on which image."""
    profile = PROFILES[plan.crystal.profile]
    reach = REACH * sigma * max(part.wider for part in profile) + 0.1 / abs(plan.rotation.width_deg)
    first = np.clip(np.floor(z - reach), 0, plan.rotation.images).astype(int)
    last = np.clip(np.ceil(z + reach), 0, plan.rotation.images).astype(int)
    many = np.maximum(last - first, 0)
    row = np.repeat(np.arange(len(z)), many)
    image = np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many) + first[row]
    share = np.zeros(len(row))
    for part in profile:
        middle = z[row] + part.turn_deg / plan.rotation.width_deg
        share += part.share * fractions(middle, part.wider * sigma[row], image)
    return _Parts(row.astype(np.int32), image.astype(np.int32), share)


def fractions(z: Array, sigma: Array, image: NDArray[np.int64]) -> Array:
    """Return which parts of reflections fall on images, (n,)."""
    from scipy.special import ndtr

    return ndtr((image + 1 - z) / sigma) - ndtr((image - z) / sigma)
