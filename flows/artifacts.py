"""What every run shows in the Prefect UI: a picture, a table, and where the result stands."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from prefect.artifacts import create_image_artifact, create_markdown_artifact, create_table_artifact

from flows.reduction import Reduction
from flows.verdict import Judgement


def publish(
    run: Reduction,
    derived: UUID,
    judged: Judgement,
    *,
    picture: str,
    caption: str,
    table: Sequence[tuple[str, Any]],
    reduced: str = "scan",
) -> None:
    """Show a result in the Prefect UI.

    Parameters
    ----------
    run : Reduction
        Its outputs are entered.
    derived : UUID
        The derived dataset.
    judged : Judgement
        The verdict, whose sentences stand above the links.
    picture, caption : str
        The file name of the most telling picture, and what it shows.
    table : sequence of (str, Any)
        Figures by name, with their units.
    reduced : str
        What was reduced, in a word.
    """
    create_image_artifact(
        image_url=run.file_address(derived, picture), key="preview", description=caption
    )
    create_table_artifact(
        table=[{"figure": name, "value": value} for name, value in table],
        key="result",
        description=judged.summary,
    )
    links = {
        "The result in the catalogue": f"datasets/{derived}",
        f"The {reduced}": f"datasets/{run.claim.dataset_id}",
        "This run": f"runs/{run.claim.run_id}",
    }
    create_markdown_artifact(
        f"### {run.claim.dataset_name}: {judged.verdict}\n\n"
        + "\n".join(f"- {reason}" for reason in judged.sentences)
        + "\n\n"
        + "  ·  ".join(f"[{name}]({run.page(page)})" for name, page in links.items())
        + "\n",
        key="catalogue",
        description="Where the result stands",
    )
