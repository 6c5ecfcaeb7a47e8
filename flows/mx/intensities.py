"""What merged intensities say: Wilson's plot, amplitudes, twins, translations, ice and damage."""

from dataclasses import dataclass

import numpy as np

from flows.mx.found import Symmetry
from flows.mx.recipe import MergingRecipe
from flows.mx.types import Known
from tasks.errors import DataError
from tasks.mx.french_wilson import Amplitudes, french_wilson
from tasks.mx.merge import Merged
from tasks.mx.merged_ice import merged_ice
from tasks.mx.radiation_damage import radiation_damage
from tasks.mx.scale import Scaled
from tasks.mx.translational_ncs import translational_ncs
from tasks.mx.twinning import twinning
from tasks.mx.wilson import wilson

Figures = dict[str, float | str | None]


@dataclass(frozen=True)
class Told:
    """Amplitudes, figures by name with their units, and sentences for the user."""

    amplitudes: Amplitudes
    figures: Figures
    warnings: tuple[str, ...]


def look_at(
    recipe: MergingRecipe, known: Known, symmetry: Symmetry, scaled: Scaled, merged: Merged
) -> Told:
    """Look at the intensities in all the ways that a crystallographer does.

    Raises
    ------
    DataError
        There is no signal.
    """
    cell, group = merged.cell, symmetry.space_group
    found = french_wilson(merged.hkl, merged.intensity, merged.sigma, cell, group)
    figures: Figures = {}
    warnings = [_on_expected(found, merged, figures)]
    looks = (
        lambda: _wilson(recipe, known, merged, figures),
        lambda: _twinning(found, merged, figures),
        lambda: _translation(recipe, merged, figures),
    )
    for look in looks:
        try:
            warnings.append(look())
        except DataError as error:  # too few data for one of them is no reason to stop
            warnings.append(str(error))
    warnings += _damage(scaled, figures)
    return Told(found, figures, tuple(each for each in warnings if each))


def _on_expected(found: Amplitudes, merged: Merged, figures: Figures) -> str:
    """Compare intensities with the expected ones: anisotropy, and rings of ice."""
    expected = found.expected
    if expected is None:
        return ""
    figures["anisotropy_b_angstrom2"] = expected.anisotropy
    ice = merged_ice(merged.d, merged.intensity / expected.mean)
    return " ".join(each for each in (expected.warning, ice.warning) if each)


def _wilson(recipe: MergingRecipe, known: Known, merged: Merged, figures: Figures) -> str:
    if recipe.small_molecule:
        return ""
    residues = len(known.sequence.replace(" ", ""))
    found = wilson(
        merged.hkl, merged.intensity, merged.cell, merged.space_group, residues_per_chain=residues
    )
    figures["wilson_b_angstrom2"], figures["wilson_b_sigma_angstrom2"] = found.b, found.b_sigma
    figures["solvent"] = found.matthews.solvent
    if residues:
        figures["copies_expected"] = float(found.matthews.copies)
    return ""


def _twinning(found: Amplitudes, merged: Merged, figures: Figures) -> str:
    tested = twinning(
        merged.hkl,
        merged.intensity,
        merged.sigma,
        merged.cell,
        merged.space_group,
        found.expected,
    )
    figures["l_test"], figures["second_moment"] = tested.mean_l, tested.second_moment
    return tested.warning


def _translation(recipe: MergingRecipe, merged: Merged, figures: Figures) -> str:
    if recipe.small_molecule:  # hardly any reflections lie where it is looked for
        return ""
    found = translational_ncs(merged.hkl, merged.intensity, merged.cell, merged.space_group)
    figures["native_patterson_peak"] = found.peaks[0].height if found.peaks else 0.0
    return found.warning


def _damage(scaled: Scaled, figures: Figures) -> list[str]:
    """Look at each sweep for damage; scales may vary along it, so intensities are as observed."""
    said: list[str] = []
    seen = scaled.observations.take(scaled.kept)
    for sweep in np.unique(seen.sweep):
        found = radiation_damage(seen, scaled.space_group, sweep=int(sweep))
        if found is None:
            continue
        figures["relative_b_angstrom2"] = max(
            float(found.relative_b.max()), float(figures.get("relative_b_angstrom2") or 0.0)
        )
        said.append(found.warning)
    return said
