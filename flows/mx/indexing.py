"""The lattice of a sweep's spots, and its geometry refined against them."""

from dataclasses import replace

from flows.mx.dials import placed_by_dials
from flows.mx.recipe import Recipe
from flows.mx.stills import place_stills
from flows.mx.types import Opened, Placed, Spotted
from flows.reduction import Reduction
from tasks.errors import DataError
from tasks.io.diffraction import Geometry
from tasks.mx.index import Indexed, NotIndexed, index
from tasks.mx.lattice import lattices
from tasks.mx.reduction import described
from tasks.mx.refine import Refined, refine
from tasks.mx.reflections import Spots
from tasks.mx.second_lattice import SecondLattice, second_lattice

_ONE_CRYSTAL_DEG = 0.3  # below, a second lattice is the mosaic of the first
_LOW_SHARE = 0.5  # of the spots that are indexed, below which a person should look
_WIDE = 1.5  # pixels of root mean square, above which positions do not fit
_LATE = 1.0  # images of the same
_WORTH_ALONG_DEG = 10.0  # of turn, from which orientation and cell may change along the sweep
_TURNS = 3  # of a lattice that is seen the better, the better the geometry is known
_NO_SYMMETRY = "P 1"


def place_crystal(
    run: Reduction, recipe: Recipe, opened: Opened, spotted: Spotted
) -> Placed | None:
    """Index the spots and refine; None where there is nothing to index.

    What is not indexed ends the reduction with what was tried, and with the pictures of its
    images: that is a result, and no broken data.
    """
    if spotted.ends_at:
        return None
    if recipe.stills or opened.geometry.rotation.width_deg == 0:
        return place_stills(run, opened, spotted)
    if recipe.program == "dials":
        return placed_by_dials(run, recipe, opened)
    try:
        found, strange = _index(recipe, opened, spotted.spots)
    except NotIndexed as error:
        said = str(error)
        return Placed(
            None, 0.0, ends_at=said if said.startswith("Not indexed") else f"Not indexed. {said}"
        )
    wide = len(opened.images) * abs(opened.geometry.rotation.width_deg) >= _WORTH_ALONG_DEG
    try:
        refined = refine(spotted.spots, found.hkl, found.geometry, found.crystal, along=wide)
    except DataError as error:
        return Placed(None, found.fraction, found.tried, f"Indexed, but not refined. {error}")
    if not wide and refined.crystal.space_group == _NO_SYMMETRY:
        found, refined = as_the_lattice_allows(spotted.spots, opened.geometry, found, refined)
    second = second_lattice(spotted.spots, found)
    doubts = {"indexing": (*strange, *_doubts(found, refined, second))}
    return Placed(refined, found.fraction, found.tried, doubts=doubts)


def _index(recipe: Recipe, opened: Opened, spots: Spots) -> tuple[Indexed, tuple[str, ...]]:
    """Index with the known cell; where the spots do not follow it, without it, and say so."""
    known, longest = opened.known, recipe.longest_axis
    try:
        found = index(
            spots,
            opened.geometry,
            cell=known.cell,
            space_group=known.space_group,
            max_cell=longest,
        )
    except NotIndexed:
        if known.cell is None:
            raise
    else:
        return found, ()
    found = index(spots, opened.geometry, space_group=known.space_group, max_cell=longest)
    sentence = (
        f"The spots do not follow the known cell of {described(known.cell)}: they are indexed "
        "without it. Is it the right sample?"
    )
    return found, (sentence,)


def as_the_lattice_allows(
    spots: Spots, given: Geometry, found: Indexed, refined: Refined
) -> tuple[Indexed, Refined]:
    """Refine the crystal of a narrow sweep with the symmetry of its lattice.

    One layer of reciprocal space tells no distance from a cell that nothing constrains: without
    the symmetry, the cell would be off by as much as the distance was given wrong.
    """
    for _ in range(_TURNS):
        best = lattices(refined.crystal, [spots], [found.hkl], [refined.geometry])[0].crystal
        if best.space_group == refined.crystal.space_group:
            break
        try:
            again = index(spots, given, cell=best.cell, space_group=best.space_group)
            refined = refine(spots, again.hkl, again.geometry, again.crystal)
        except DataError:  # what is known so far holds
            break
        sentence = (
            f"The sweep is narrow, so that the cell is refined as its lattice allows "
            f"({best.space_group}): {described(refined.crystal.cell)}, {again.indexed.sum()} spots."
        )
        found = replace(again, tried=(*found.tried, sentence))
    return found, refined


def _doubts(found: Indexed, refined: Refined, second: SecondLattice | None) -> tuple[str, ...]:
    said: list[str] = []
    if second is not None and not (second.same_cell and second.angle_deg < _ONE_CRYSTAL_DEG):
        said.append(f"{second.sentence} Its reflections are not integrated.")
    if found.fraction < _LOW_SHARE:
        said.append(
            f"Only {found.fraction:.0%} of the spots are indexed: a second crystal, ice or a wrong "
            "cell. Look at the picture of the detector."
        )
    x, y, z = (float(each) for each in refined.rmsd)
    if max(x, y) > _WIDE or z > _LATE:
        said.append(
            f"Spots lie {x:.2f} and {y:.2f} pixels and {z:.2f} images (r.m.s.) from where they are "
            "expected: split spots, or a crystal that slips."
        )
    return tuple(said)
