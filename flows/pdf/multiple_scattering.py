"""What a sample scatters twice, where the recipe asks for it and enough is known."""

from flows.pdf.recipe import Container, Recipe
from flows.pdf.recipe import Plate as PlateOfRecipe
from flows.pdf.types import Corrected, Floats, Opened
from tasks.errors import DataError
from tasks.pdf.absorption import attenuation_from_transmission, linear_attenuation
from tasks.pdf.multiple_scattering import Cylinder, Plate, Shape, double_scattering


def twice_scattered(
    recipe: Recipe, opened: Opened, corrected: Corrected
) -> tuple[Floats | float, tuple[str, ...]]:
    """Compute the double scattering at the patterns' Q.

    Returns
    -------
    tuple of (numpy.ndarray or float, tuple of str)
        Per atom in electron units, (bins,), zero where there is none; and a sentence for the user
        where it was asked for and cannot be had.
    """
    if not recipe.multiple_scattering:
        return 0.0, ()
    try:
        return _computed(recipe, opened, corrected), ()
    except DataError as error:
        why = str(error).rstrip(".")
    return 0.0, (f"Multiple scattering is not taken off: {why}.",)


def _computed(recipe: Recipe, opened: Opened, corrected: Corrected) -> Floats:
    """Take the attenuation that absorption is corrected by; it tells how the sample is packed."""
    if "absolute" not in recipe.modes:
        raise DataError("it is part of the absolute mode, which the recipe does not name")
    sample, wavelength, absorbed = opened.sample, opened.wavelength, corrected.absorption
    if absorbed is None or sample.container is None:
        raise DataError(corrected.no_absorption or "the container is not known")
    if sample.composition is None or sample.density is None or wavelength is None:
        raise DataError("composition, density and wavelength have to be known")
    mu, shape = _attenuation_and_shape(sample.container, absorbed.transmission)
    if mu == 0:
        raise DataError(
            "the transmission of the sample is 1, so that it cannot be told how much there is"
        )
    packing = mu / linear_attenuation(sample.composition, sample.density, wavelength)
    return double_scattering(
        corrected.q,
        sample.composition,
        wavelength=wavelength,
        number_density=packing * sample.composition.number_density(sample.density),
        mu=mu,
        shape=shape,
    )


def _attenuation_and_shape(
    container: Container | PlateOfRecipe, transmission: float
) -> tuple[float, Shape]:
    if isinstance(container, Container):
        radius = container.diameter_mm / 2
        return attenuation_from_transmission(transmission, radius=radius), Cylinder(radius)
    if container.width_mm is None:
        raise DataError("the width of the plate has to be known (plate, width_mm)")
    thickness = container.thickness_mm
    return (
        attenuation_from_transmission(transmission, thickness=thickness),
        Plate(thickness, container.width_mm),
    )
