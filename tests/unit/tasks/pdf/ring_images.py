"""Images of calibrants on a tilted detector, made from first principles, without `tasks`."""

import itertools
from dataclasses import dataclass

import numpy as np

CELLS = {  # a in A; element, fractional coordinates
    "CeO2": (5.411651, [(58, (0, 0, 0)), (8, (0.25,) * 3), (8, (0.75,) * 3)], "F"),
    "LaB6": (
        4.156826,
        [(57, (0, 0, 0))]
        + [
            (5, tuple(0.5 if j != i else s * 0.1993 for j in range(3)))
            for i, s in itertools.product(range(3), (1, -1))
        ],
        "P",
    ),
    "Si": (5.4310205, [(14, (0, 0, 0)), (14, (0.25,) * 3)], "F"),
    "Ni": (3.5239, [(28, (0, 0, 0))], "F"),
}


def lines(name, wavelength, q_max):
    """d spacings and relative intensities (multiplicity, structure factor, Lorentz, vibration)."""
    a, atoms, centring = CELLS[name]
    sums = {}
    top = int(np.ceil(q_max * a / 2 / np.pi))
    for hkl in itertools.product(range(-top, top + 1), repeat=3):
        n = sum(i * i for i in hkl)
        if n == 0 or (centring == "F" and len({i % 2 for i in hkl}) > 1):
            continue
        if 2 * np.pi * np.sqrt(n) / a > q_max:
            continue
        factor = sum(z * np.exp(2j * np.pi * np.dot(hkl, at)) for z, at in atoms)
        sums[n] = sums.get(n, 0) + abs(factor) ** 2
    n = np.array(sorted(k for k in sums if sums[k] > 1e-6))
    d = a / np.sqrt(n)
    s = 1 / (2 * d)
    theta = np.arcsin(np.minimum(wavelength * s, 1))
    strength = np.array([sums[k] for k in n]) * np.exp(-2 * 1.5 * s**2) * np.exp(-6 * s)
    strength = strength / (np.sin(theta) ** 2 * np.cos(theta))
    return d, strength / strength.max()


@dataclass
class Truth:
    distance: float = 0.25
    beam: tuple = (0.5, 0.5)  # where the beam meets the detector, in its sides
    rot1: float = 0.0
    rot2: float = 0.0
    calibrant: str = "CeO2"
    wavelength: float = 0.4
    shape: tuple = (600, 620)
    pixel: float = 2e-4
    width: float = 1.3  # pixels, standard deviation
    peak: float = 400.0  # counts of the strongest ring
    background: float = 30.0
    spots: float = 0.0  # 0: smooth rings; 1: most of a ring is empty
    stop: float = 0.0  # m, radius of the beam stop, with an arm
    gaps: bool = False
    hot: float = 2e-4
    seed: int = 0

    def poni(self):
        """distance along the normal, poni1, poni2, from where the beam hits."""
        beam = np.array(self.beam) * np.array(self.shape) * self.pixel
        across = rotation(self.rot1, self.rot2).T @ np.array([0, 0, 1.0])
        # the sample's foot on the plane is where the normal through it meets: solve along the beam
        along = self.distance * across[2]
        return along, beam[0] - self.distance * across[0], beam[1] - self.distance * across[1]


def rotation(rot1, rot2):
    """Rotations 1, about the slow axis, and 2, about the fast one, as pyFAI turns them."""
    c1, s1, c2, s2 = np.cos(rot1), np.sin(rot1), np.cos(rot2), np.sin(rot2)
    first = np.array([[1, 0, 0], [0, c1, s1], [0, -s1, c1]])
    second = np.array([[c2, 0, -s2], [0, 1, 0], [s2, 0, c2]])
    return second @ first


def angles(truth):
    """2theta and azimuth of all pixels, rad."""
    foot, poni1, poni2 = truth.poni()
    rows, columns = np.indices(truth.shape)
    x = np.stack(
        [
            (rows + 0.5) * truth.pixel - poni1,
            (columns + 0.5) * truth.pixel - poni2,
            np.full(truth.shape, foot),
        ]
    )
    t = np.einsum("ij,jrc->irc", rotation(truth.rot1, truth.rot2), x)
    return np.arctan2(np.hypot(t[0], t[1]), t[2]), np.arctan2(t[0], t[1]), t


def image_of(truth):
    """counts and mask (True: left out)."""
    rng = np.random.default_rng(truth.seed)
    two_theta, azimuth, t = angles(truth)
    q = 4 * np.pi / truth.wavelength * np.sin(two_theta / 2)
    mean = truth.background * (
        0.4 + np.exp(-((q / 3) ** 2)) + 0.5 * np.exp(-(((q - 1.5) / 0.6) ** 2))
    )
    d, strength = lines(truth.calibrant, truth.wavelength, q.max())
    per_pixel = truth.pixel * np.cos(two_theta) ** 2 / truth.distance  # rad
    centres = 2 * np.arcsin(truth.wavelength / 2 / d)
    for centre, height in zip(centres, strength, strict=True):
        if not two_theta.min() - 0.02 < centre < two_theta.max() + 0.02:
            continue
        off = (two_theta - centre) / per_pixel
        near = np.abs(off) < 6 * truth.width
        ring = truth.peak * height * np.exp(-0.5 * (off[near] / truth.width) ** 2)
        if truth.spots:
            around = 2 * np.pi * truth.distance * np.tan(centre) / truth.pixel
            number = max(8, int(around / (4 * truth.width)))  # as long as they are wide
            grains = rng.gamma(0.5 * (1 - truth.spots) + 0.02, size=number)
            at = ((azimuth[near] + np.pi) / 2 / np.pi * number).astype(int) % number
            ring *= (grains / grains.mean())[at]
        mean[near] += ring
    mean = mean * (1 - np.sin(two_theta) ** 2 * np.cos(azimuth) ** 2)
    radius = np.tan(two_theta) * truth.distance
    if truth.stop:
        arm = (np.abs(t[0] - 0.1 * t[1]) < truth.stop / 2) & (t[1] > 0)
        mean = np.where((radius < truth.stop) | arm, 0.1 * mean, mean)
    counts = rng.poisson(mean).astype(float)
    hot = rng.random(truth.shape) < truth.hot
    counts[hot] = rng.integers(1000, 100000, hot.sum())
    mask = rng.random(truth.shape) < truth.hot
    counts[mask] = 0
    if truth.gaps:
        rows, columns = np.indices(truth.shape)
        mask |= (rows % 212 >= 195) | (columns % 494 >= 487)
    return counts, mask
