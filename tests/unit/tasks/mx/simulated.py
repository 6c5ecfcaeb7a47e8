"""Sweeps of the simulator, read as the readers would and searched for spots."""

import numpy as np

from infra.simulator.mx.sweep import Sweep
from tasks.io.diffraction import Beam, Detector, Geometry, Goniometer, Rotation
from tasks.mx.image_figures import spots_and_figures
from tasks.mx.seen import what_is_seen
from tasks.mx.spots import join_blocks


def geometry_of(plan):
    """What the headers of a plan without kappa and 2theta say."""
    detector, rotation = plan.detector, plan.rotation
    rows, columns = detector.shape
    x, y = detector.centre[0] * columns, detector.centre[1] * rows
    origin = np.array([-x * detector.pixel, y * detector.pixel, -detector.distance])
    sizes = (detector.pixel, detector.pixel)
    return Geometry(
        Beam(plan.beam.wavelength),
        Detector(origin, np.array([1.0, 0, 0]), np.array([0, -1.0, 0]), sizes, detector.shape),
        Goniometer(),
        Rotation(rotation.start_deg, rotation.width_deg, rotation.images),
    )


def measured(plan):
    """Images, mask and geometry."""
    sweep = Sweep(plan)
    images = np.stack(list(sweep.images()))
    return images, sweep.pixels.gaps | sweep.pixels.dead, geometry_of(plan)


def looked_at(plan, **options):
    """What is seen, the images' figures and the spots."""
    images, mask, geometry = measured(plan)
    parts, figures = spots_and_figures(images, mask, geometry, plan.detector.saturation)
    spots = join_blocks([parts])
    return what_is_seen(figures, spots, geometry, mask, **options), figures, spots
