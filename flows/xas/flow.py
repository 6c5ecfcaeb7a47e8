"""The XAS flow, as the lab book has it: read, align, reduce, normalise, interpret, draw, enter."""

from typing import Any
from uuid import UUID

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.reduction import reduction
from flows.xas import report, stages
from flows.xas.recipe import Recipe
from flows.xas.types import Result
from flows.xas.verdict import summary

DEFAULTS = Recipe()


@flow(name="xas-reduction", persist_result=False, log_prints=False)
def reduce_xas(
    dataset: UUID, recipe: Recipe = DEFAULTS, reason: str = "", dispatch: UUID | None = None
) -> State[Any]:
    """Reduce an XAS scan to a normalised spectrum, EXAFS and composition, with a verdict.

    Parameters
    ----------
    dataset
        The scan, by its identity in the catalogue.
    recipe
        What to choose; every field may stay as it is.
    reason
        Why this run is asked for (for people; automatic runs leave it empty).
    dispatch
        Set by the platform. Leave it as it is.
    """
    with reduction("xas-reduction", dataset, recipe, reason, dispatch) as run:
        if run.claim.already_completed:
            return Completed(message="This run is complete already: its result stands.")
        opened = stages.read_spectra(run, recipe)
        alignment = stages.align_sweeps(run, recipe, opened)
        sweeps = stages.reduce_sweeps(run, recipe, opened, alignment)
        spectrum = stages.normalise(run, recipe, opened, sweeps)
        exafs, no_exafs = stages.extract_exafs(run, recipe, spectrum)
        found = stages.interpret_spectra(run, recipe, opened, alignment, sweeps, spectrum)
        result = Result(opened, alignment, sweeps, spectrum, exafs, no_exafs, found)
        pictures = stages.draw_pictures(run, recipe, result)
        derived = stages.enter_result(run, recipe, result)
        report.publish(run, result, derived, pictures)
        return Completed(message=summary(result))
