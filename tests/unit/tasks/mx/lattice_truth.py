"""Spots of crystals that are known, made without the code that finds them."""

from dataclasses import dataclass

import gemmi
import numpy as np

from tasks.io.diffraction import Beam, Detector, Geometry, Goniometer, Rotation
from tasks.mx.reflections import Spots

CRYSTALS = {
    "P 1": (28.1, 33.7, 40.2, 78.0, 84.0, 71.0),
    "P 1 21 1": (38.6, 61.2, 47.9, 90.0, 104.3, 90.0),
    "C 1 2 1": (91.3, 38.4, 55.7, 90.0, 113.2, 90.0),
    "P 21 21 21": (45.1, 58.3, 71.9, 90.0, 90.0, 90.0),
    "P 43 21 2": (78.4, 78.4, 37.9, 90.0, 90.0, 90.0),
    "I 2 3": (78.9, 78.9, 78.9, 90.0, 90.0, 90.0),
    "R 3:H": (81.5, 81.5, 60.8, 90.0, 90.0, 120.0),
}


@dataclass(frozen=True)
class Truth:
    geometry: Geometry
    a_matrix: np.ndarray
    spots: Spots
    hkl: np.ndarray
    cell: tuple


def a_matrix_of(cell, rng=None):
    """A = U B by Busing and Levy, U at random."""
    fractional = np.array(gemmi.UnitCell(*cell).frac.mat.tolist())
    turn = np.eye(3)
    if rng is not None:
        turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        turn = turn * np.sign(np.linalg.det(turn))
    return turn @ fractional.T


def detector(distance=200.0, shape=(1024, 1024), pixel=0.3, centre=(0.0, 0.0)):
    """A square one facing the beam, its centre (mm) off by some shift."""
    height, width = shape
    origin = [-width * pixel / 2 + centre[0], height * pixel / 2 + centre[1], -distance]
    return Detector(
        np.array(origin), np.array([1.0, 0, 0]), np.array([0, -1.0, 0]), (pixel, pixel), shape
    )


def sweep(images=100, width=0.5, distance=200.0, wavelength=1.0, **kind):
    return Geometry(
        Beam(wavelength), detector(distance, **kind), Goniometer(), Rotation(10.0, width, images)
    )


def indices(a_matrix, space_group, d_min):
    """All indices to a resolution that the centring lets be."""
    longest = np.linalg.norm(np.linalg.inv(a_matrix), axis=1)
    reach = np.ceil(longest / d_min).astype(int)
    axes = [np.arange(-each, each + 1) for each in reach]
    hkl = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    length = np.linalg.norm(hkl @ a_matrix.T, axis=1)
    hkl = hkl[(length > 0.01) & (length < 1 / d_min)]
    centrings = gemmi.find_spacegroup_by_name(space_group).operations().cen_ops
    for shift in np.array(centrings) / 24:
        hkl = hkl[np.abs(hkl @ shift - np.round(hkl @ shift)) < 1e-6]
    return hkl


def crossings(geometry, a_matrix, hkl):
    """Where reflections cross the sphere, for a rotation about x: numbers of hkl, and x, y, z."""
    k = 1 / geometry.beam.wavelength
    p = hkl @ a_matrix.T
    # turned about x by phi: z' = y sin + z cos; |q|^2 / 2 = k z' for a beam along -z
    radius, start = np.hypot(p[:, 1], p[:, 2]), np.arctan2(p[:, 1], p[:, 2])
    with np.errstate(invalid="ignore", divide="ignore"):
        half = np.arccos((p**2).sum(1) / 2 / k / radius)
    found = []
    rotation, plate = geometry.rotation, geometry.detector
    for sign in (1, -1):
        phi = start + sign * half
        phi = np.mod(phi - np.radians(rotation.start_deg), 2 * np.pi) + np.radians(
            rotation.start_deg
        )
        z = (np.degrees(phi) - rotation.start_deg) / rotation.width_deg
        s1 = np.column_stack(
            [
                p[:, 0],
                p[:, 1] * np.cos(phi) - p[:, 2] * np.sin(phi),
                p[:, 1] * np.sin(phi) + p[:, 2] * np.cos(phi) - k,
            ]
        )
        at = s1 * (plate.origin[2] / s1[:, 2])[:, None] - plate.origin
        x, y = at @ plate.fast / plate.pixel[0], at @ plate.slow / plate.pixel[1]
        with np.errstate(invalid="ignore"):
            good = (s1[:, 2] < 0) & (z > 0) & (z < rotation.images)
            good &= (x > 0) & (x < plate.shape[1]) & (y > 0) & (y < plate.shape[0])
            # what grazes the sphere is smeared over many images
            good &= np.abs(np.cross(s1, [0, 0, k])[:, 0]) > 0.06 * np.linalg.norm(
                np.cross(s1, [0, 0, k]), axis=1
            )
        found.append((np.flatnonzero(good), np.column_stack([x, y, z])[good]))
    return np.concatenate([each for each, _ in found]), np.concatenate([each for _, each in found])


def as_spots(xyz, rng, noise=(0.2, 0.2, 0.15)):
    seen = xyz + rng.normal(size=xyz.shape) * noise
    images = np.floor(seen[:, 2]).astype(np.int32)
    return Spots(
        seen,
        np.broadcast_to(np.square(noise), xyz.shape).copy(),
        rng.exponential(size=len(xyz)) * 1000,
        np.full(len(xyz), 9, np.int32),
        np.column_stack([images, images]),
    )


def anywhere(geometry, count, rng):
    """Spots that belong to nothing, as evenly as noise is."""
    height, width = geometry.detector.shape
    return rng.uniform(size=(count, 3)) * [width, height, geometry.rotation.images]


def make(
    space_group,
    seed,
    *,
    geometry=None,
    most=1500,
    wrong=0.0,
    shift=(0.0, 0.0),
    d_min=2.2,
    cell=None,
    noise=(0.2, 0.2, 0.15),
):
    """Spots of a crystal; ``shift`` in mm is how far the stated detector is from the true one."""
    rng = np.random.default_rng(seed)
    geometry = geometry or sweep()
    cell = cell or CRYSTALS[space_group]
    a_matrix = a_matrix_of(cell, rng)
    hkl = indices(a_matrix, space_group, d_min)
    rows, xyz = crossings(geometry, a_matrix, hkl)
    chosen = rng.permutation(len(rows))[:most]
    rows, xyz = rows[chosen], xyz[chosen]
    bad = anywhere(geometry, int(wrong / (1 - wrong) * len(rows)), rng)
    spots = as_spots(np.concatenate([xyz, bad]), rng, noise)
    true = np.concatenate([hkl[rows], np.zeros((len(bad), 3), int)])
    plate = geometry.detector
    stated = geometry.with_detector(
        origin=plate.origin + shift[0] * plate.fast + shift[1] * plate.slow
    )
    return Truth(stated, a_matrix, spots, true, cell)
