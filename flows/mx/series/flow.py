"""The flow that merges sweeps: read them, scale and merge them, solve, draw, enter."""

from typing import Any
from uuid import UUID

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.mx.series import report, stages
from flows.mx.series.recipe import Recipe
from flows.mx.series.types import Result
from flows.mx.series.verdict import summary
from flows.reduction import reduction

DEFAULTS = Recipe()


@flow(name="mx-series", persist_result=False, log_prints=False)
def reduce_mx_series(
    dataset: UUID, recipe: Recipe = DEFAULTS, reason: str = "", dispatch: UUID | None = None
) -> State[Any]:
    """Merge the sweeps of a series: of one crystal, or of several of one kind.

    Parameters
    ----------
    dataset
        The series, by its identity in the catalogue.
    recipe
        What to choose; every field may stay as it is.
    reason
        Why this run is asked for (for people; automatic runs leave it empty).
    dispatch
        Set by the platform. Leave it as it is.
    """
    with reduction("mx-series", dataset, recipe, reason, dispatch) as run:
        if run.claim.already_completed:
            return Completed(message="This run is complete already: its result stands.")
        members = stages.read_members(run, recipe)
        reduced = stages.scale_and_merge(run, recipe, members)
        solved = stages.solve(run, recipe, members, reduced)
        result = Result(members, reduced, solved)
        pictures = stages.draw_pictures(run, result)
        derived = stages.enter_result(run, recipe, result)
        report.publish(run, result, derived, pictures)
        return Completed(message=summary(result))
