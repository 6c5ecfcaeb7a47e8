"""Sweeps made photon by photon: every count of every reflection is known."""

from dataclasses import dataclass

import numpy as np

from tasks.io.diffraction import Beam, Detector, Geometry, Goniometer, Rotation
from tasks.mx.crystal import Crystal


def gauss(rng, n):
    """Three coordinates in standard deviations."""
    return rng.normal(size=(n, 3))


def lopsided(rng, n):
    """Two overlapping lobes on the detector, and a rocking curve with a steep and a long side."""
    e = rng.normal(size=(n, 3)) * np.array([0.8, 0.7, 1.0])
    e[:, 0] += np.where(rng.random(n) < 0.3, 1.4, -0.6)
    e[:, 1] += 0.4 * e[:, 0]
    e[:, 2] = rng.gamma(2.0, 0.7, n) - 1.4
    return e


@dataclass
class Sweep:
    """Images with the truth of each reflection: hkl, x, y, z, zeta and expected counts."""

    images: np.ndarray
    geometry: Geometry
    crystal: Crystal
    mask: np.ndarray
    hkl: np.ndarray
    xyz: np.ndarray
    zeta: np.ndarray
    expected: np.ndarray
    sigma_b_deg: float
    sigma_m_deg: float


def setting(shape=(512, 512), images=60, width=0.3, distance=150.0, cell=(58.0, 66.0, 81.0)):
    pixel = 0.172
    origin = np.array([-shape[1] * pixel / 2 + 2.0, shape[0] * pixel / 2 - 1.0, -distance])
    detector = Detector(
        origin, np.array([1.0, 0, 0]), np.array([0, -1.0, 0]), (pixel, pixel), shape
    )
    geometry = Geometry(Beam(1.0), detector, Goniometer(), Rotation(10.0, width, images))
    axes = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    return geometry, Crystal(axes @ np.diag(1 / np.array(cell)))


def crossings(geometry, crystal, d_min, beyond=5.0):
    """All crossings in the sweep by a search on a fine grid of angles, refined by secants."""
    most = np.ceil(1 / np.linalg.norm(crystal.a_matrix, axis=0) / d_min).astype(int)
    hkl = np.stack(np.meshgrid(*(np.arange(-m, m + 1) for m in most)), -1).reshape(-1, 3)
    points = hkl @ crystal.a_matrix.T
    size = np.linalg.norm(points, axis=1)
    inside = (size < 1 / d_min) & (size > 0)
    hkl, points = hkl[inside], points[inside]
    wave = geometry.beam.direction / geometry.beam.wavelength

    def excess(angle, r):
        c, s = np.cos(angle), np.sin(angle)
        turned = np.stack([r[:, 0], c * r[:, 1] - s * r[:, 2], s * r[:, 1] + c * r[:, 2]], 1)
        return ((turned + wave) ** 2).sum(1) - wave @ wave, turned + wave

    rotation = geometry.rotation
    start = np.radians(rotation.start_deg - beyond)
    end = np.radians(rotation.start_deg + rotation.width_deg * rotation.images + beyond)
    grid = np.linspace(start, end, 400)
    values = np.stack([excess(np.full(len(points), a), points)[0] for a in grid])
    step, row = np.nonzero(values[:-1] * values[1:] < 0)
    low, high = grid[step], grid[step + 1]
    falling = values[step, row] > 0
    for _ in range(45):
        middle = (low + high) / 2
        up = (excess(middle, points[row])[0] > 0) == falling
        low, high = np.where(up, middle, low), np.where(up, high, middle)
    s1 = excess(low, points[row])[1]
    return hkl[row], s1, (np.degrees(low) - rotation.start_deg) / rotation.width_deg


def sweep(
    profile=gauss,
    background=2.0,
    mean=300.0,
    ice=0.0,
    d_min=3.6,
    sigma_b_deg=0.05,
    sigma_m_deg=0.15,
    seed=0,
    gaps=True,
    shift=0.0,
    **kwargs,
):
    """Photons of Wilson-distributed reflections on a background, with a ring, gaps and all."""
    rng = np.random.default_rng(seed)
    geometry, crystal = setting(**kwargs)
    hkl, s1, z = crossings(geometry, crystal, d_min)
    e1 = np.cross(s1, geometry.beam.s0)
    e1 /= np.linalg.norm(e1, axis=1, keepdims=True)
    e2 = np.cross(s1, e1)
    e2 /= np.linalg.norm(e2, axis=1, keepdims=True)
    zeta = e1[:, 0]
    fine = np.abs(zeta) > 0.04
    hkl, s1, z, e1, e2, zeta = (each[fine] for each in (hkl, s1, z, e1, e2, zeta))
    d = 1 / np.linalg.norm(s1 - geometry.beam.s0, axis=1)
    expected = rng.exponential(size=len(z)) ** 1.3 * mean * np.exp(-8 / d**2) * 1.5
    expected *= 10 ** rng.uniform(-1.5, 1, len(z))
    images = _background(rng, geometry, background, ice)
    _add_photons(
        rng, images, geometry, profile, expected, s1, e1, e2, z, zeta, sigma_b_deg, sigma_m_deg
    )
    mask = np.zeros(images.shape[1:], bool)
    if gaps:
        mask[250:260] = mask[:, 340:346] = True
    images[:, mask] = -1
    xy = _to_pixels(geometry, s1)
    return Sweep(
        images,
        geometry,
        crystal,
        mask,
        hkl,
        np.column_stack([xy, z]),
        zeta,
        expected,
        sigma_b_deg,
        sigma_m_deg,
    )


def _to_pixels(geometry, rays):
    detector = geometry.detector
    at = rays * (detector.origin[2] / rays[:, 2])[:, None] - detector.origin
    return np.column_stack([at @ detector.fast, at @ detector.slow]) / detector.pixel[0]


def _background(rng, geometry, level, ice):
    rows, columns = geometry.detector.shape
    y, x = np.mgrid[:rows, :columns] + 0.5
    at = geometry.detector.origin + 0.172 * (
        x[..., None] * geometry.detector.fast + y[..., None] * geometry.detector.slow
    )
    angle = np.degrees(np.arctan(np.hypot(at[..., 0], at[..., 1]) / -at[..., 2]))
    level = level * (0.6 + 0.8 * np.exp(-((angle - 6) ** 2) / 18))
    level = level + ice * sum(np.exp(-((angle - a) ** 2) / 2 / 0.09**2) for a in (9.0, 14.7))
    return rng.poisson(np.broadcast_to(level, (geometry.rotation.images, rows, columns))).astype(
        np.int32
    )


def _add_photons(rng, images, geometry, profile, expected, s1, e1, e2, z, zeta, sigma_b, sigma_m):
    number = rng.poisson(expected)
    whose = np.repeat(np.arange(len(number)), number)
    e = profile(rng, len(whose))
    across = np.radians(sigma_b) * e[:, :2]
    rays = s1[whose] * geometry.beam.wavelength
    rays = rays + across[:, :1] * e1[whose] + across[:, 1:] * e2[whose]
    xy = np.floor(_to_pixels(geometry, rays)).astype(int)
    j = np.floor(z[whose] + e[:, 2] * sigma_m / zeta[whose] / geometry.rotation.width_deg).astype(
        int
    )
    inside = (xy >= 0).all(1) & (xy[:, 0] < images.shape[2]) & (xy[:, 1] < images.shape[1])
    inside &= (j >= 0) & (j < len(images))
    np.add.at(images, (j[inside], xy[inside, 1], xy[inside, 0]), 1)
