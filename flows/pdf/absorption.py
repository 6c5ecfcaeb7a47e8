"""What sample and container absorb of the scattering, where enough is known of both."""

import numpy as np

from flows.pdf.recipe import Container, Plate, Recipe
from flows.pdf.types import Floats, Opened, Patterns
from tasks.errors import DataError
from tasks.pdf.absorption import (
    AbsorptionFactors,
    attenuation_from_transmission,
    capillary,
    linear_attenuation,
    plate,
)
from tasks.pdf.composition import parse
from tasks.pdf.tables import xraydb


def absorption_of(
    recipe: Recipe, opened: Opened, patterns: Patterns
) -> tuple[AbsorptionFactors | None, str]:
    """Compute the absorption factors of a capillary or a plate at the patterns' Q.

    Returns
    -------
    tuple of (AbsorptionFactors or None, str)
        And why there are none.

    Raises
    ------
    DataError
        The container's material does not exist, or the transmission cannot be.
    """
    container, wavelength = opened.sample.container, opened.wavelength
    if opened.sample.composition is None or wavelength is None:
        return None, "composition or wavelength are not known"
    if container is None:
        return None, "material and diameter of the container are not known"
    mu = _attenuation(recipe, opened, patterns, container)
    if mu is None:
        return None, "neither the transmission nor packing and density are known"
    two_theta = _two_theta(patterns.q, wavelength)
    if isinstance(container, Plate) and np.max(two_theta) >= np.pi / 2:
        return None, "a plate across the beam hides what is scattered by 90 degrees or more"
    return _factors(two_theta, mu, container, wavelength), ""


def _factors(
    two_theta: Floats, mu: float, container: Container | Plate, wavelength: float
) -> AbsorptionFactors:
    wall = _wall(container, wavelength)
    if isinstance(container, Plate):
        return plate(
            two_theta, mu, container.thickness_mm, window_mu=wall, window=container.window_mm
        )
    radius = container.diameter_mm / 2
    outer = radius + container.wall_mm
    return capillary(two_theta, mu, radius, container_mu=wall, outer_radius=outer)


def _attenuation(
    recipe: Recipe, opened: Opened, patterns: Patterns, container: Container | Plate
) -> float | None:
    """Return the sample's attenuation as packed, 1/mm: as measured, else as computed."""
    sample, wavelength = opened.sample, opened.wavelength
    if patterns.transmission is not None:
        found = patterns.background
        empty = found.transmission if found is not None and found.kind == "container" else None
        through = min(1.0, patterns.transmission / (empty or 1.0))
        if isinstance(container, Plate):
            return attenuation_from_transmission(through, thickness=container.thickness_mm)
        return attenuation_from_transmission(through, radius=container.diameter_mm / 2)
    if recipe.packing is None or sample.density is None:
        return None
    if sample.composition is None or wavelength is None:
        return None
    return linear_attenuation(sample.composition, sample.density, wavelength, recipe.packing)


def _wall(container: Container | Plate, wavelength: float) -> float:
    """Return the attenuation of the wall or window, 1/mm; 0 where there is none."""
    if isinstance(container, Plate) and container.window_mm == 0:
        return 0.0
    known = xraydb().get_material(container.material)
    formula, density = known or (container.material, None)
    density = container.density or density
    if density is None:
        raise DataError(
            f"The density of the container's material {container.material!r} is not known: give it "
            "in the recipe (container, density in g/cm³), or name a material such as kapton."
        )
    return linear_attenuation(parse(formula), density, wavelength)


def _two_theta(q: Floats, wavelength: float) -> Floats:
    return 2 * np.arcsin(np.clip(q * wavelength / (4 * np.pi), 0, 1))
