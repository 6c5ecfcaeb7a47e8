"""Structures that a recipe names, and their fits to G(r)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.pdf.recipe import Recipe
from flows.pdf.types import Curves, Floats, Sample
from flows.sources import path_in
from tasks.errors import DataError
from tasks.pdf.candidates import choose_candidate
from tasks.pdf.crystal import Crystal, read_structure
from tasks.pdf.phases import fit_phases
from tasks.pdf.structure_fit import StructureFit

_BLOCK = re.compile(r"(?m)^\s*data_(\S+)")
_LARGEST = 2_000_000  # bytes of a CIF


@dataclass(frozen=True)
class Fitted:
    """What became of the structures: fits, the best first, what is said of them, and doubts."""

    fits: tuple[StructureFit, ...] = ()
    said: str = ""
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


def fit_structures(
    recipe: Recipe, sample: Sample, curves: Curves, folders: Sequence[Path]
) -> Fitted:
    """Fit what the recipe names to the merged G(r): candidates one by one, phases together."""
    if not recipe.structures:
        return Fitted()
    try:
        sources = [structure_of(given, folders) for given in recipe.structures]
        return (_phases if recipe.mixture else _candidates)(recipe, sample, curves, sources)
    except DataError as error:
        return Fitted(doubts=(f"No structure was fitted: {error}",))


def _candidates(
    recipe: Recipe, sample: Sample, curves: Curves, sources: Sequence[Crystal]
) -> Fitted:
    elements = sample.composition.elements if sample.composition else ()
    choice = choose_candidate(
        curves.r,
        curves.g,
        _sigma(curves),
        sources,
        elements=elements,
        **fit_options(recipe, curves),
    )
    tried = [each.fit for each in choice.ranking if each.fit is not None]
    if choice.chosen is None or choice.chosen.fit is None:
        return Fitted(tuple(tried), choice.sentence, doubts=(choice.sentence,))
    best = choice.chosen.fit
    others = tuple(fit for fit in tried if fit is not best)
    refused = tuple(f"{each.name}: {each.reason}" for each in choice.ranking if each.reason)
    return Fitted((best, *others), choice.sentence, refused, best.remarks)


def _phases(recipe: Recipe, sample: Sample, curves: Curves, sources: Sequence[Crystal]) -> Fitted:
    found = fit_phases(curves.r, curves.g, _sigma(curves), sources, **fit_options(recipe, curves))
    shares = zip(found.names, found.mass, found.mass_sigma, strict=True)
    said = ", ".join(f"{share:.1%} ± {sigma:.1%} {name}" for name, share, sigma in shares)
    return Fitted((found.fit,), f"{said} of the mass", doubts=found.remarks)


def fit_options(recipe: Recipe, curves: Curves) -> dict[str, Any]:
    """Return range and resolution of a fit as the recipe has them."""
    return {
        "qmax": curves.qmax,
        "rmin": recipe.fit_from,
        "rmax": min(recipe.fit_to, float(curves.r[-1])),
        "qdamp": recipe.qdamp,
        "qbroad": recipe.qbroad,
    }


def _sigma(curves: Curves) -> Floats | None:
    """Return the uncertainty of G(r), if it is known at every point but the origin."""
    return curves.g_sigma if (curves.g_sigma[curves.r > 0] > 0).all() else None


def structure_of(given: str, folders: Sequence[Path]) -> Crystal:
    """Read a structure; what comes as a text is called as its data block is."""
    block = _BLOCK.search(given)
    return read_structure(structure_source(given, folders), block[1] if block else "")


def structure_source(given: str, folders: Sequence[Path]) -> Path | str:
    """Return a CIF's text as it is, or the path of a file that may be read.

    Parameters
    ----------
    given : str
        Text, or a path; a relative one starts at any of the folders.
    folders : sequence of Path
        Of the beamline: nothing else is read.

    Raises
    ------
    DataError
        There is no such file in these folders, or it is no CIF.
    """
    if "_cell_length_a" in given:
        return given
    path = path_in(folders, given)
    if path is not None and path.is_file():
        return _checked(path)
    told = ", ".join(str(folder) for folder in folders) or "none"
    raise DataError(
        f"{given[:200]!r} is no file in the beamline's folders ({told}) and no text of a CIF: put "
        "the file there, or give its text."
    )


def _checked(path: Path) -> Path:
    if path.suffix.lower() != ".cif" or path.stat().st_size > _LARGEST:
        raise DataError(f"{path.name} is no CIF: its name must end in .cif, with at most 2 MB.")
    return path
