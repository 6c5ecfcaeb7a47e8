"""How far the demo's scans are: read from the catalogue, shown as a table or as plain lines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rich.console import Console
from rich.live import Live
from rich.table import Table
from sqlalchemy import Engine, and_, select
from sqlalchemy.orm import Session, aliased

from catalog.models import Dataset, Run, VerdictRecord
from catalog.states import DatasetState, Kind, RunState
from infra.demo_scans import Figures, TrueScan

STYLES: dict[str, str] = {
    RunState.COMPLETED: "green",
    RunState.RUNNING: "yellow",
    RunState.FAILED: "red",
    DatasetState.QUARANTINED: "red",
    DatasetState.WAITING_FOR_CALIBRATION: "magenta",
}


@dataclass(frozen=True)
class Progress:
    """How far one scan is; `seconds` of its run, `figures` of what was found."""

    scan: TrueScan
    state: str = "to come"
    stage: str = ""
    figures: Figures = field(default_factory=dict[str, object])
    seconds: float | None = None
    verdict: str = ""
    reason: str = ""

    @property
    def settled(self) -> bool:
        """Whether nothing more will happen by itself."""
        if self.state == RunState.COMPLETED:
            return self.scan.is_whole(self.figures)
        return self.state in (RunState.FAILED, DatasetState.QUARANTINED)

    @property
    def right(self) -> bool:
        """Whether the scan was reduced and recorded, and what was found is true.

        A scan that is to be refused is right in quarantine, if a sentence says why.
        """
        if self.scan.refused:
            return self.state == DatasetState.QUARANTINED and bool(self.reason)
        completed = self.settled and self.state == RunState.COMPLETED
        return completed and bool(self.verdict) and self.scan.fits(self.figures)

    @property
    def found(self) -> str:
        """What was found up to now, in a few words."""
        return self.scan.found(self.figures)

    @property
    def standing(self) -> str:
        """The state, and while it runs the stage that it is in."""
        state = self.state.replace("_", " ")
        return self.stage if self.stage and self.state == RunState.RUNNING else state

    def cells(self) -> list[str]:
        """Return scan, what was found, seconds, state and verdict as text."""
        seconds = "" if self.seconds is None else f"{self.seconds:.1f}"
        return [self.scan.name, self.found, seconds, self.standing, self.verdict]


def read_progress(engine: Engine, scans: Mapping[str, TrueScan]) -> list[Progress]:
    """Ask the catalogue how far scans are.

    Parameters
    ----------
    engine
        The catalogue.
    scans
        What is true about them, by name.

    Returns
    -------
    One for each scan, also those that the catalogue does not know yet, in the order given.
    """
    result = aliased(Dataset)
    statement = (
        select(Dataset, Run, VerdictRecord)
        .outerjoin(Run, Run.dataset_id == Dataset.id)
        .outerjoin(result, and_(result.source_id == Dataset.id, result.is_current))
        .outerjoin(VerdictRecord, VerdictRecord.dataset_id == result.id)
        .where(Dataset.kind.in_((Kind.RAW, Kind.CALIBRATION)), Dataset.name.in_(scans))
        .order_by(Run.version, VerdictRecord.id)
    )
    rows = {name: Progress(scan) for name, scan in scans.items()}
    with Session(engine) as session:
        for dataset, run, verdict in session.execute(statement):
            rows[dataset.name] = _progress(scans[dataset.name], dataset, run, verdict)
    return list(rows.values())


def _progress(
    scan: TrueScan, dataset: Dataset, run: Run | None, verdict: VerdictRecord | None
) -> Progress:
    if run is None:
        return Progress(scan, state=dataset.state, reason=dataset.state_reason or "")
    quarantined = dataset.state == DatasetState.QUARANTINED
    seconds = None
    if run.started_at is not None:
        seconds = ((run.finished_at or datetime.now(UTC)) - run.started_at).total_seconds()
    return Progress(
        scan,
        state=dataset.state if quarantined else run.state,
        stage=run.stage,
        figures={**run.figures, **(verdict.quality if verdict else {})},
        seconds=seconds,
        verdict=verdict.verdict if verdict else "",
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
            name = row.scan.name
            if self._shown.get(name, "to come") != row.standing:
                self._shown[name] = row.standing
                line = "  ".join(filter(None, (name, row.standing, row.found)))
                self._console.print(line, highlight=False, soft_wrap=True)


def table(rows: Sequence[Progress], title: str) -> Table:
    """Make the table of the scans."""
    drawn = Table(title=title, title_justify="left")
    for name in ("scan", "found", "seconds", "state", "verdict"):
        drawn.add_column(name, justify="right" if name == "seconds" else "left")
    for row in rows:
        drawn.add_row(*row.cells(), style=STYLES.get(row.state, ""))
    return drawn
