"""The results of a series' scans: what they say, which can be compared, and by which recipe."""

from collections.abc import Sequence
from pathlib import Path

from catalog.runs import InputFile
from flows.reduction import Reduction
from flows.xas.gridding import scratch
from flows.xas.series.choice import Choice, added, choose, in_time, names_of
from flows.xas.series.recipe import Recipe, for_scans
from flows.xas.series.types import Member, Members
from flows.xas.types import Doubts
from tasks.errors import DataError
from tasks.io.xas.reduced import ReducedFacts, read_recipe
from tasks.xas.series_block import Place, ReadOrder, read_block

FEWEST = 2
_ROLE, _OUTPUT, _SUFFIX = "member", "spectrum", ".h5"
_AT_A_TIME = 100  # files that a worker reads


def read_members(run: Reduction, recipe: Recipe) -> Members:
    """Look at the results of all scans, and choose those that can be compared.

    Raises
    ------
    DataError
        Fewer than two can be.
    """
    found = choose(*_looked_at(run, spectrum_files(run.claim.inputs)))
    if len(found.kept) < FEWEST:
        name, why = (*found.left_out, (run.claim.dataset_name, "it has no results."))[0]
        raise DataError(
            f"Of the scans of {run.claim.dataset_name}, {len(found.kept)} can be used, and it "
            f"takes two. {name} is left out: {why}"
        )
    kept = in_time(found.kept)
    return Members(
        kept=kept,
        left_out=found.left_out,
        recipe=for_scans(recipe, read_recipe(kept[-1].path)),
        doubts=_doubts(found, run.scans_without_result()),
    )


def spectrum_files(inputs: Sequence[InputFile]) -> list[InputFile]:
    """Return one file for each result: its spectrum in HDF5, or any other where it has none."""
    found: dict[object, InputFile] = {}
    for file in inputs:
        if file.role == _ROLE and (file.dataset_id not in found or _is_spectrum(file)):
            found[file.dataset_id] = file
    return list(found.values())


def _is_spectrum(file: InputFile) -> bool:
    return file.output == _OUTPUT and file.path.suffix == _SUFFIX


def _looked_at(
    run: Reduction, files: Sequence[InputFile]
) -> tuple[list[Member], list[tuple[str, str]]]:
    """Read what the files say; those that cannot be read are named beside."""
    good = [file for file in files if _is_spectrum(file)]
    unreadable = [
        (file.name, "its result holds no spectrum, since another flow made it.")
        for file in files
        if not _is_spectrum(file)
    ]
    folder = scratch(run)
    orders = [
        ReadOrder(
            first=begin,
            paths=tuple(str(file.path) for file in good[begin : begin + _AT_A_TIME]),
            block=str(folder / f"spectra_{begin}.npz"),
        )
        for begin in range(0, len(good), _AT_A_TIME)
    ]
    members: list[Member] = []
    for part in run.work_through("Results of the scans", read_block, orders):
        for number, told in enumerate(part.facts):
            file = good[part.first + number]
            if isinstance(told, str):
                unreadable.append((file.name, told))
            else:
                members.append(_member(file, told, Place(part.block, number)))
    order = {str(file.dataset_id): number for number, file in enumerate(good)}
    return sorted(members, key=lambda each: order[each.dataset]), unreadable


def _member(file: InputFile, facts: ReducedFacts, place: Place) -> Member:
    return Member(file.name, str(file.dataset_id), Path(file.path), file.verdict, facts, place)


def _doubts(found: Choice, lost: Sequence[str]) -> Doubts:
    """Add which scans have no result."""
    if not lost:
        return found.doubts
    what = "scan of the series has" if len(lost) == 1 else "scans of the series have"
    told = f"{len(lost)} {what} no result ({names_of(lost)}): look at why, and try again."
    return added(found.doubts, "scans", told)
