"""How far the demo's scans are: read from the catalogue, shown as a table or as plain lines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Console
from rich.live import Live
from rich.table import Table
from sqlalchemy import Engine, and_, select
from sqlalchemy.orm import Session, aliased

from catalog.models import Dataset, Run
from catalog.states import DatasetState, RunState
from infra.simulator.truth import Truth

AXIS_TOLERANCE = 0.5  # pixels
STYLES = {
    RunState.COMPLETED: "green",
    RunState.RUNNING: "yellow",
    RunState.FAILED: "red",
    DatasetState.QUARANTINED: "red",
    DatasetState.WAITING_FOR_CALIBRATION: "magenta",
}


@dataclass(frozen=True)
class Progress:
    """How far one scan is; `axis` in columns, `seconds` of its run."""

    scan: str
    true_axis: float
    state: str = "to come"
    stage: str = ""
    axis: float | None = None
    seconds: float | None = None
    verdict: str = ""
    reason: str = ""

    @property
    def settled(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self.state in (RunState.COMPLETED, RunState.FAILED, DatasetState.QUARANTINED)

    @property
    def right(self) -> bool:
        """Whether the scan was reduced and recorded, with the axis where it really is."""
        near = self.axis is not None and abs(self.axis - self.true_axis) <= AXIS_TOLERANCE
        return self.state == RunState.COMPLETED and bool(self.verdict) and near

    def cells(self) -> list[str]:
        """Return scan, stage, axis, seconds, state and verdict as text."""
        axis = "" if self.axis is None else f"{self.axis:.2f}"
        seconds = "" if self.seconds is None else f"{self.seconds:.1f}"
        state = self.state.replace("_", " ")
        return [self.scan, self.stage, axis, seconds, state, self.verdict]


def read_progress(engine: Engine, truths: Mapping[str, Truth]) -> list[Progress]:
    """Ask the catalogue how far scans are.

    Parameters
    ----------
    engine
        The catalogue.
    truths
        The scans, by uid.

    Returns
    -------
    One for each scan, also those that the catalogue does not know yet, sorted by name.
    """
    result = aliased(Dataset)
    statement = (
        select(Dataset, Run, result.verdict)
        .outerjoin(Run, Run.dataset_id == Dataset.id)
        .outerjoin(result, and_(result.source_id == Dataset.id, result.is_current))
        .where(Dataset.uid.in_(truths))
        .order_by(Run.version)
    )
    rows = {uid: Progress(truth.name, truth.axis) for uid, truth in truths.items()}
    with Session(engine) as session:
        for dataset, run, verdict in session.execute(statement):
            uid = str(dataset.uid)
            rows[uid] = _progress(truths[uid], dataset, run, verdict)
    return sorted(rows.values(), key=lambda row: row.scan)


def _progress(truth: Truth, dataset: Dataset, run: Run | None, verdict: str | None) -> Progress:
    if run is None:
        return Progress(
            truth.name, truth.axis, state=dataset.state, reason=dataset.state_reason or ""
        )
    quarantined = dataset.state == DatasetState.QUARANTINED
    seconds = None
    if run.started_at is not None:
        seconds = ((run.finished_at or datetime.now(UTC)) - run.started_at).total_seconds()
    return Progress(
        truth.name,
        truth.axis,
        state=dataset.state if quarantined else run.state,
        stage=run.stage,
        axis=run.figures.get("rotation_axis"),
        seconds=seconds,
        verdict=verdict or "",
        reason=(dataset.state_reason if quarantined else run.state_reason) or "",
    )


class Display:
    """Shows progress: a table that lives on a terminal, elsewhere a line for each change."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: dict[str, str] = {}
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None

    def __enter__(self) -> "Display":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def show(self, rows: Sequence[Progress], title: str) -> None:
        """Show the rows as they are now."""
        if self._live:
            self._live.update(table(rows, title), refresh=True)
            return
        for row in rows:
            seen = f"{row.state}: {row.stage}".rstrip(": ")
            if self._shown.get(row.scan, "to come") != seen:
                self._shown[row.scan] = seen
                axis = "" if row.axis is None else f", axis {row.axis:.2f}"
                self._console.print(f"{row.scan}  {seen.replace('_', ' ')}{axis}", highlight=False)


def table(rows: Sequence[Progress], title: str) -> Table:
    """Make the table of the scans."""
    drawn = Table(title=title, title_justify="left")
    for name in ("scan", "stage", "axis", "seconds", "state", "verdict"):
        drawn.add_column(name, justify="right" if name in ("axis", "seconds") else "left")
    for row in rows:
        drawn.add_row(*row.cells(), style=STYLES.get(row.state, ""))  # type: ignore[arg-type]
    return drawn
