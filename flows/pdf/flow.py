"""The total-scattering flow, as the lab book has it: read, integrate, correct, transform, fit."""

from typing import Any
from uuid import UUID

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.pdf import report, stages
from flows.pdf.found import Result
from flows.pdf.recipe import Recipe
from flows.pdf.verdict import summary
from flows.reduction import reduction

DEFAULTS = Recipe()


@flow(name="pdf-reduction", persist_result=False, log_prints=False)
def reduce_pdf(
    dataset: UUID, recipe: Recipe = DEFAULTS, reason: str = "", dispatch: UUID | None = None
) -> State[Any]:
    """Reduce total scattering to I(Q), S(Q), F(Q) and G(r), with a verdict.

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
    with reduction("pdf-reduction", dataset, recipe, reason, dispatch) as run:
        if run.claim.already_completed:
            return Completed(message="This run is complete already: its result stands.")
        opened = stages.read_images(run, recipe)
        patterns = stages.integrate_frames(run, recipe, opened)
        corrected = stages.take_off_background(run, recipe, opened, patterns)
        transformed = stages.transform(run, recipe, opened, corrected)
        found = stages.interpret_curves(run, recipe, opened, corrected, transformed)
        result = Result(opened, patterns, corrected, transformed, found)
        pictures = stages.draw_pictures(run, recipe, result)
        derived = stages.enter_result(run, recipe, result)
        report.publish(run, result, derived, pictures)
        return Completed(message=summary(result))
