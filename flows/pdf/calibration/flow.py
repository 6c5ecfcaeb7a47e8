"""The flow that calibrates a detector, as the lab book has it: read, find rings, draw, enter."""

from typing import Any
from uuid import UUID

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.pdf.calibration import report, stages
from flows.pdf.calibration.recipe import Recipe
from flows.pdf.calibration.verdict import summary
from flows.reduction import reduction

DEFAULTS = Recipe()


@flow(name="pdf-calibration", persist_result=False, log_prints=False)
def calibrate_detector(
    dataset: UUID, recipe: Recipe = DEFAULTS, reason: str = "", dispatch: UUID | None = None
) -> State[Any]:
    """Find the geometry of a detector on the image of a calibrant; it serves data that wait.

    Parameters
    ----------
    dataset
        The image, by its identity in the catalogue.
    recipe
        What to choose; every field may stay as it is.
    reason
        Why this run is asked for (for people; automatic runs leave it empty).
    dispatch
        Set by the platform. Leave it as it is.
    """
    with reduction("pdf-calibration", dataset, recipe, reason, dispatch) as run:
        if run.claim.already_completed:
            return Completed(message="This run is complete already: its geometry stands.")
        opened = stages.read_image(run, recipe)
        result = stages.find_rings(run, recipe, opened)
        pictures = stages.draw_pictures(run, result)
        derived = stages.enter_result(run, recipe, result)
        report.publish(run, result, derived, pictures)
        return Completed(message=summary(result))
