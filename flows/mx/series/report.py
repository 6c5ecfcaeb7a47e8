"""What a run that merges sweeps tells people: quality figures, and artifacts in Prefect's UI."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from flows import artifacts
from flows.mx import report
from flows.mx.series.types import Result
from flows.mx.series.verdict import judgement
from flows.reduction import Reduction


def quality(result: Result) -> dict[str, Any]:
    """Collect the figures that tell how good a result is; units are in the names."""
    return {
        "sweeps": len(result.members.sweeps),
        "sweeps_left_out": len(result.members.left_out),
        **report.merged_quality(result.reduced),
        **report.structure_quality(result.solved),
    }


def metadata(result: Result) -> dict[str, Any]:
    """Describe the derived dataset: what it is, and what it was made of."""
    return {
        "format": "MTZ",
        "sweeps": [each.name for each in result.members.sweeps],
        "left_out": result.members.left_out,
        "wavelength_A": result.members.wavelength,
        **report.merged_metadata(result.reduced),
        **report.structure_metadata(result.solved),
    }


def publish(run: Reduction, result: Result, derived: UUID, pictures: Sequence[str]) -> None:
    """Show the result in the Prefect UI."""
    shown = Path(pictures[0]).stem.replace("_", " ").capitalize()
    rows: list[tuple[str, Any]] = [
        ("dataset", run.claim.dataset_name),
        ("version", run.claim.version),
        ("sweeps", len(result.members.sweeps)),
        *report.table_rows(result.reduced),
    ]
    artifacts.publish(
        run,
        derived,
        judgement(result),
        picture=pictures[0],
        caption=f"{shown} of {run.claim.dataset_name}",
        table=rows,
        reduced="series",
    )
