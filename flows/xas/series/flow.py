"""The XAS series flow: read, bring onto one grid, normalise, interpret, draw, enter."""

from typing import Any
from uuid import UUID

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.reduction import reduction
from flows.xas.series import report, stages
from flows.xas.series.recipe import Recipe
from flows.xas.series.types import Result
from flows.xas.series.verdict import summary

DEFAULTS = Recipe()


@flow(name="xas-series", persist_result=False, log_prints=False)
def reduce_xas_series(
    dataset: UUID, recipe: Recipe = DEFAULTS, reason: str = "", dispatch: UUID | None = None
) -> State[Any]:
    """Reduce the results of a series of XAS scans together: how its composition changes.

    Parameters
    ----------
    dataset
        The series, by its identity in the catalogue.
    recipe
        What to choose; what is left empty is as for the last scan.
    reason
        Why this run is asked for (for people; automatic runs leave it empty).
    dispatch
        Set by the platform. Leave it as it is.
    """
    with reduction("xas-series", dataset, recipe, reason, dispatch) as run:
        if run.claim.already_completed:
            return Completed(message="This run is complete already: its result stands.")
        members = stages.read_members(run, recipe)
        gridded = stages.bring_onto_grid(run, members)
        spectrum = stages.normalise(run, members, gridded)
        explained = stages.interpret_series(run, recipe, members, gridded, spectrum)
        result = Result(members, gridded, spectrum, explained)
        pictures = stages.draw_pictures(run, result)
        derived = stages.enter_result(run, recipe, result)
        report.publish(run, result, derived, pictures)
        return Completed(message=summary(result))
