"""The project's own way from simulated detector images to G(r), as the flow walks it."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from infra.simulator.pdf import facts
from infra.simulator.pdf.plan import ScanPlan
from infra.simulator.pdf.scan import Scan
from tasks.pdf.absorption import AbsorptionFactors, capillary, linear_attenuation
from tasks.pdf.background import refuse_negative, subtract_background
from tasks.pdf.composition import Composition, parse
from tasks.pdf.geometry import Geometry, arrays, check_detector
from tasks.pdf.integrate import Integrated, Integrator, integrate, make_integrator, pixel_weight
from tasks.pdf.masking import bad_pixels, check_saturation
from tasks.pdf.response import Sensor

BINS = 2500
WALLS = {"kapton": ("C22H10N2O5", 1.42), "quartz": ("SiO2", 2.2), "aluminium": ("Al", 2.7)}


def geometry_of(plan: ScanPlan) -> Geometry:
    """Return the geometry that is handed over with a plan's images."""
    place = facts.claimed_geometry(plan)
    return Geometry(
        distance=place.distance,
        poni1=place.poni1,
        poni2=place.poni2,
        rot1=place.rot1,
        rot2=place.rot2,
        rot3=place.rot3,
        pixel1=place.pixel1,
        pixel2=place.pixel2,
        wavelength=place.wavelength,
        shape=place.shape,
    )


@dataclass(frozen=True)
class Prepared:
    """What all images of a detector share: its geometry, what is masked, where pixels go."""

    geometry: Geometry
    mask: np.ndarray
    integrator: Integrator


def prepared(plan: ScanPlan, image: np.ndarray) -> Prepared:
    """Check an image, mask what is bad in it, and prepare the integration."""
    geometry = geometry_of(plan)
    check_detector(geometry, image.shape)
    gaps = image < 0
    check_saturation(image, gaps, plan.detector.saturation)
    sensor = Sensor(plan.detector.sensor, 1e-3 * plan.detector.thickness)
    degree = plan.beam.polarisation
    weight = pixel_weight(geometry, image.shape, degree, None, sensor)
    two_theta = arrays(geometry, image.shape).two_theta
    bad = bad_pixels(image, two_theta, gaps, weight=weight.reshape(image.shape), photons=1)
    mask = gaps | bad.mask
    return Prepared(
        geometry,
        mask,
        make_integrator(geometry, mask, BINS, polarisation=degree, sensor=sensor),
    )


def frames_of(plan: ScanPlan) -> np.ndarray:
    """Measure a plan, (frames, rows, columns)."""
    return np.stack(list(Scan(plan).frames()))


@dataclass(frozen=True)
class Measured:
    """A sample and its empty container, integrated alike."""

    sample: Integrated
    container: Integrated
    beam: np.ndarray  # the sample's over the container's, (frames,)
    absorption: AbsorptionFactors
    composition: Composition


def absorption_of(plan: ScanPlan, two_theta: np.ndarray, composition: Composition):
    """Return the absorption factors of a plan's capillary."""
    sample, wavelength = plan.sample, facts.claimed_geometry(plan).wavelength
    density = facts.of(plan)["density"]
    wall, wall_density = WALLS[sample.container]
    inner = sample.diameter / 2 - sample.wall
    return capillary(
        two_theta,
        linear_attenuation(composition, density, wavelength, sample.packing),
        inner,
        container_mu=linear_attenuation(parse(wall), wall_density, wavelength),
        outer_radius=sample.diameter / 2,
    )


@cache
def container_of(plan: ScanPlan) -> ScanPlan:
    """Plan the empty capillary that goes with a plan, seen 4 times as long."""
    empty = plan.as_kind("container", "container")
    beam = replace(empty.beam, exposure=4 * empty.beam.exposure, wobble=0.0)
    return replace(empty, beam=beam)


def measured(plan: ScanPlan, frames: np.ndarray | None = None) -> Measured:
    """Measure a sample and its container, and integrate both."""
    composition = parse(facts.of(plan)["composition"])
    images = frames_of(plan) if frames is None else frames
    made = prepared(plan, images[0])
    empty = container_of(plan)
    background = integrate(made.integrator, frames_of(empty), "poisson")
    sample = integrate(made.integrator, images)
    return Measured(
        sample=sample,
        container=background,
        beam=Scan(plan).monitor / Scan(empty).monitor[0],
        absorption=absorption_of(plan, sample.tth, composition),
        composition=composition,
    )


def subtracted(found: Measured, scale: float = 1.0):
    """Take the container off, by monitor and absorption; intensity and sigma (frames, bins)."""
    factor = scale * found.beam[:, None] * found.absorption.container_scale
    left = subtract_background(
        found.sample.q,
        found.sample.intensity,
        found.sample.sigma,
        found.container.intensity,
        found.container.sigma,
        factor,
    )
    taken = factor * found.container.intensity
    refuse_negative(found.sample.q, left.intensity, left.sigma, taken, qmin=0.8)
    return left
