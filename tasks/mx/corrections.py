"""What a counted intensity is multiplied with to be comparable: Lorentz, polarisation, sensor."""

from __future__ import annotations

import numpy as np

from tasks.io.diffraction import F, Geometry
from tasks.mx.geometry import scan_axis


def lorentz(geometry: Geometry, s1: F) -> F:
    """
    Return the Lorentz factor of wave vectors (n, 3), (n,): how long a point stays on the sphere.

    Kabsch, Acta Cryst. D66, 133 (2010): the inverse of ``|e . (s1 x s0)| / (|s1| |s0|)``.
    """
    beam = geometry.beam
    speed = np.abs(np.cross(s1, beam.s0) @ scan_axis(geometry.goniometer)) * beam.wavelength**2
    with np.errstate(divide="ignore"):
        return 1 / speed


def polarisation(geometry: Geometry, s1: F) -> F:
    """
    Return the polarisation factor of wave vectors (n, 3), (n,).

    Kabsch, J. Appl. Cryst. 21, 916 (1988), with the share of the beam that is polarised in the
    plane whose normal the geometry has.
    """
    beam = geometry.beam
    rays = s1 * beam.wavelength
    normal = beam.polarisation_normal / np.linalg.norm(beam.polarisation_normal)
    share = beam.polarisation
    along, cosine = rays @ normal, rays @ beam.direction
    return (1 - 2 * share) * (1 - along**2) + share * (1 + cosine**2)


def efficiency(geometry: Geometry, s1: F) -> F:
    """Return which share of the photons the sensor stops at their slant, (n,); 1 if unknown."""
    detector = geometry.detector
    if detector.thickness <= 0 or detector.absorption <= 0:
        return np.ones(len(s1))
    slant = np.abs(s1 @ detector.normal) * geometry.beam.wavelength
    return 1 - np.exp(-detector.absorption * detector.thickness / slant)


def correction(geometry: Geometry, s1: F) -> F:
    """
    Return the factor that takes counts to squared amplitudes on one scale, (n,).

    Air and attenuators are left to scaling.
    """
    factors = lorentz(geometry, s1) * polarisation(geometry, s1) * efficiency(geometry, s1)
    return 1 / factors
