"""
Observations of a rotating crystal whose true intensities, scales and faults are known.

No image is simulated: each reflection's angles follow from the rotation equation, its counts from
the true intensity, scale, decay and absorption, Poisson's law and an error in proportion to I.
"""

from dataclasses import dataclass, replace

import gemmi
import numpy as np

from tasks.io.diffraction import Rotation
from tasks.mx.crystal import Crystal
from tasks.mx.equivalents import equivalents
from tasks.mx.reflections import Observations

WAVELENGTH = 0.9795
S0 = np.array([0.0, 0.0, -1.0]) / WAVELENGTH


@dataclass(frozen=True)
class Truth:
    """What was put in; scales are inverse scales g."""

    observations: Observations
    crystal: Crystal
    rotations: tuple[Rotation, ...]
    intensity: np.ndarray
    scale: np.ndarray
    outlier: np.ndarray
    unique: dict[tuple[int, int, int], tuple[float, float]]


def crystal_of(cell, space_group, seed=0):
    b = np.array(gemmi.UnitCell(*cell).frac.mat.tolist()).T
    turn, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return Crystal(turn * np.linalg.det(turn) @ b, space_group)


def wilson(hkl, space_group, b_factor, d, seed=1, anomalous=0.0):
    """I(+) and I(-) of unique reflections by Wilson's statistics, with a fall-off."""
    rng = np.random.default_rng(seed)
    group = gemmi.SpaceGroup(space_group).operations()
    centric = np.array(group.centric_flag_array(hkl))
    f = rng.normal(size=len(hkl)) + 1j * rng.normal(size=len(hkl)) * ~centric
    f *= np.where(centric, 1, np.sqrt(0.5))
    extra = anomalous * (rng.normal(size=len(hkl)) + 1j * rng.normal(size=len(hkl))) * ~centric
    fall = np.exp(-b_factor / (2 * d**2)) * np.array(group.epsilon_factor_array(hkl))
    return np.abs(f + extra) ** 2 * fall, np.abs(f - extra) ** 2 * fall


def crossings(crystal, hkl, width, images):
    """Where each index crosses Ewald's sphere as the crystal turns about x: rows, z, s1."""
    r = crystal.points(hkl)
    along, radius = r[:, 0], np.hypot(r[:, 1], r[:, 2])
    cosine = -(r**2).sum(1) / 2 / np.where(radius > 0, S0[2] * radius, np.inf)
    rows = np.flatnonzero((radius > 0) & (np.abs(cosine) < 1) & (np.abs(along) < 1.0))
    found = []
    for sign in (1, -1):
        # turned about x by phi, (y, z) has the polar angle of start + phi, measured from z
        wanted = sign * np.arccos(cosine[rows])
        start = np.arctan2(-r[rows, 1], r[rows, 2])
        phi = np.degrees((wanted - start) % (2 * np.pi))
        for turn in range(int(np.ceil(width * images / 360))):
            z = (phi + 360 * turn) / width
            inside = z < images
            lorentz = np.abs(np.sin(wanted)) * radius[rows] * WAVELENGTH
            found.append((rows[inside], z[inside], lorentz[inside]))
    rows, z, lorentz = (np.concatenate(each) for each in zip(*found, strict=True))
    good = lorentz > 0.05
    rows, z = rows[good], z[good]
    angle = -np.radians(z * width)
    s0 = np.stack([0 * z, -S0[2] * np.sin(angle), S0[2] * np.cos(angle)], axis=1)
    return rows, z, s0 + r[rows]


def smooth(z, images, rng, size):
    """A smooth curve: a few slow waves."""
    x = z / images
    return size * sum(
        rng.normal() * np.cos(np.pi * k * x + rng.uniform(0, 6)) / k for k in (1, 2, 3)
    )


def simulate(
    cell=(54.0, 54.0, 77.0, 90.0, 90.0, 90.0),
    space_group="P 43",
    d_min=3.0,
    sweeps=1,
    images=720,
    width=0.5,
    strength=400.0,
    background=30.0,
    b=0.03,
    a=1.0,
    decay=4.0,
    variation=0.2,
    absorption=0.1,
    outliers=0.0,
    anomalous=0.0,
    b_factor=20.0,
    seed=0,
    intensities=None,
):
    """Simulate; `intensities` gives I(+) and I(-) of asymmetric-unit indices, else Wilson's law."""
    rng = np.random.default_rng(seed)
    crystal = crystal_of(cell, space_group, seed)
    everything = gemmi.make_miller_array(
        gemmi.UnitCell(*cell), gemmi.SpaceGroup("P 1"), d_min, 0, unique=False
    )
    same = equivalents(everything, space_group)
    d = crystal.resolution(same.hkl)
    make = intensities or (lambda hkl, d: wilson(hkl, space_group, b_factor, d, seed, anomalous))
    up, down = make(same.hkl, d)
    up, down = np.where(same.absent, 0, up), np.where(same.absent, 0, down)
    true = strength * np.where(same.plus, up[same.of], down[same.of])
    parts, scales = [], []
    for sweep in range(sweeps):
        rows, z, s1 = crossings(
            crystal_of(cell, space_group, seed + 10 * sweep), everything, width, images
        )
        turned = crystal_of(cell, space_group, seed + 10 * sweep)
        s0 = s1 - turned.points(everything[rows])
        d_seen = turned.resolution(everything[rows])
        fall = -decay * (z / images) ** 1.5
        surface = absorption * (
            np.sin(2 * s0[:, 0] * WAVELENGTH)
            + np.sin(2 * s1[:, 0] * WAVELENGTH)
            + (s1[:, 1] * s1[:, 2] + s0[:, 1] * s0[:, 2]) * WAVELENGTH**2
        )
        level = rng.uniform(0.5, 2) if sweeps > 1 else 1.0
        g = level * np.exp(smooth(z, images, rng, variation) + fall / (2 * d_seen**2) + surface)
        xyz = np.column_stack([np.full((len(z), 2), 500.0), z])
        zero = np.zeros(len(z), np.int32)
        parts.append(
            Observations(
                everything[rows], true[rows], zero + 1.0, d_seen, xyz, s1, zero + sweep, zero
            )
        )
        scales.append(g)
    seen, g = Observations.join(parts), np.concatenate(scales)
    expected = g * seen.intensity
    wrong = expected * (1 + b * rng.normal(size=len(g)))
    counts = rng.poisson(np.maximum(wrong, 0) + background).astype(float)
    sigma = np.sqrt(np.maximum(counts, 1))
    observed = expected + a * (counts - background - expected)
    outlier = rng.random(len(g)) < outliers
    observed = np.where(outlier, observed * rng.choice([0.2, 3.0], len(g)) + 30 * sigma, observed)
    unique = {
        tuple(h): (strength * p, strength * m)
        for h, p, m in zip(same.hkl.tolist(), up, down, strict=True)
    }
    return Truth(
        replace(seen, intensity=observed, sigma=sigma),
        crystal
        if sweeps == 1
        else tuple(crystal_of(cell, space_group, seed + 10 * s) for s in range(sweeps)),
        tuple(Rotation(0.0, width, images) for _ in range(sweeps)),
        seen.intensity,
        g,
        outlier,
        unique,
    )
