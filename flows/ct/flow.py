"""The CT flow, as the lab book has it: check, survey, reconstruct, draw, enter."""

from typing import Any
from uuid import UUID

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.ct import report, stages
from flows.ct.recipe import Recipe
from flows.reduction import reduction

DEFAULTS = Recipe()


@flow(name="ct-reduction", persist_result=False, log_prints=False)
def reduce_ct(
    dataset: UUID, recipe: Recipe = DEFAULTS, reason: str = "", dispatch: UUID | None = None
) -> State[Any]:
    """Reduce a CT scan to a volume of linear attenuation, with pictures and a verdict.

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
    with reduction("ct-reduction", dataset, recipe, reason, dispatch) as run:
        if run.claim.already_completed:
            return Completed(message="This run is complete already: its result stands.")
        scan = stages.check_scan(run, recipe)
        found = stages.survey_scan(run, recipe, scan)
        volume = stages.reconstruct_volume(run, recipe, scan, found)
        pictures = stages.draw_pictures(run, recipe, scan, found, volume)
        result = stages.enter_result(run, recipe, scan, found, volume)
        report.publish(run, result, scan, found, pictures)
        return Completed(message=found.summary)
