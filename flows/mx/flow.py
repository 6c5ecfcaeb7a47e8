"""The crystallography flow, as the lab book has it: find spots, index, integrate, merge, solve."""

from typing import Any
from uuid import UUID

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.mx import report, stages
from flows.mx.found import Result
from flows.mx.recipe import Recipe
from flows.mx.verdict import summary
from flows.reduction import reduction

DEFAULTS = Recipe()


@flow(name="mx-reduction", persist_result=False, log_prints=False)
def reduce_mx(
    dataset: UUID, recipe: Recipe = DEFAULTS, reason: str = "", dispatch: UUID | None = None
) -> State[Any]:
    """Reduce a sweep of diffraction images to merged intensities and a structure.

    Parameters
    ----------
    dataset
        The sweep, by its identity in the catalogue.
    recipe
        What to choose; every field may stay as it is.
    reason
        Why this run is asked for (for people; automatic runs leave it empty).
    dispatch
        Set by the platform. Leave it as it is.
    """
    with reduction("mx-reduction", dataset, recipe, reason, dispatch) as run:
        if run.claim.already_completed:
            return Completed(message="This run is complete already: its result stands.")
        opened = stages.read_images(run, recipe)
        spotted = stages.find_spots(run, recipe, opened)
        placed = stages.index_spots(run, recipe, opened, spotted)
        integrated = stages.integrate_reflections(run, recipe, opened, spotted, placed)
        reduced = stages.scale_and_merge(run, recipe, opened, placed, integrated)
        solved = stages.solve(run, recipe, opened, reduced)
        result = Result(opened, spotted, placed, integrated, reduced, solved)
        pictures = stages.draw_pictures(run, recipe, result)
        derived = stages.enter_result(run, recipe, result)
        report.publish(run, result, derived, pictures)
        return Completed(message=summary(result))
