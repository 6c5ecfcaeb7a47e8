"""What the commands show to people."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from catalog.queries import (
    BeamlineState,
    DatasetDetail,
    DatasetSummary,
    RunSummary,
    Status,
    TriggerState,
)
from catalog.web.words import lines
from infra.commands.tables import empty_table

COLOURS = {
    "completed": "green", "validated": "green", "ok": "green", "ready": "green", "done": "green",
    "running": "cyan", "waiting": "cyan", "check": "yellow", "incomplete": "yellow",
    "waiting_for_calibration": "yellow", "restarting": "red", "failed": "red",
    "quarantined": "red", "bad": "red", "missing": "yellow", "paused": "yellow",
    "listening": "green", "silent": "red", "unreachable": "red",
}  # fmt: skip


def datasets(found: Sequence[DatasetSummary]) -> RenderableType:
    """Show datasets, one a line."""
    table = empty_table("taken", "name", "beamline", "state", "run", "result", "id")
    for view in found:
        table.add_row(
            _time(view.taken_at),
            view.name,
            view.beamline,
            _state(view.state, view.reason),
            _state(view.run.state, view.run.reason or view.run.stage) if view.run else "",
            _result(view),
            str(view.id),
        )
    return table


def detail(view: DatasetDetail) -> RenderableType:
    """Show one dataset with its files, history and runs."""
    head = Table.grid(padding=(0, 2))
    for name, value in _facts(view).items():
        head.add_row(Text(name, style="dim"), value)
    files = empty_table("role", "size", "path")
    for file in view.files:
        files.add_row(
            file.role, f"{file.size:,}", " ".join(filter(None, (file.path, file.inner_path)))
        )
    events = empty_table("at", "event", "who", "why")
    for event in view.events:
        events.add_row(_time(event.at), event.event, event.actor, event.reason or "")
    return Group(
        head, Text("\nFiles"), files, Text("\nHistory"), events, Text("\nRuns"), runs(view.runs)
    )


def _facts(view: DatasetDetail) -> dict[str, RenderableType]:
    facts: dict[str, RenderableType] = {
        "name": view.name,
        "id": str(view.id),
        "beamline": f"{view.beamline} ({view.technique})",
        "proposal": view.proposal or "unassigned",
        "sample": view.sample or "",
        "series": str(view.parent or ""),
        "scans": str(view.members or ""),
        "state": _state(view.state, view.reason),
        "verdict": _state(view.verdict or "", "\n".join(view.reasons)),
    }
    for figure in view.quality:
        facts[figure.name.replace("_", " ")] = "\n".join(
            f"{line} {figure.unit}" for line in lines(figure.value)
        )
    return facts


def runs(found: Sequence[RunSummary]) -> RenderableType:
    """Show runs, one a line."""
    table = empty_table(
        "asked", "dataset", "version", "state", "attempts", "seconds", "by", "why", "id"
    )
    for run in found:
        table.add_row(
            _time(run.created_at),
            run.dataset_name,
            f"v{run.version}",
            _state(run.state, run.waits_for or run.outcome or run.stage),
            str(run.attempts),
            f"{run.seconds:.1f}" if run.seconds is not None else "",
            run.actor,
            run.reason,
            str(run.id),
        )
    return table


def status_tables(found: Status) -> list[RenderableType]:
    """Show the counts, the beamlines with their triggers, and what work waits for."""
    counts = empty_table("what", "count")
    for name in ("waiting", "running", "failed", "quarantined", "waiting_for_calibration"):
        counts.add_row(name.replace("_", " "), str(getattr(found, name)))
    counts.add_row("incomplete", str(found.incomplete))
    counts.add_row("not yet taken by Prefect", str(found.outbox))
    counts.add_row("reports not looked at", str(found.inbox))
    counts.add_row("alarms, last 24 hours", _count(found.alarms))
    counts.add_row("damaged copies", _count(found.copies_damaged))
    unsent = "" if found.notification_error is None else f"{found.notification_error}"
    counts.add_row("messages not sent", _state(str(found.notifications), unsent))
    oldest = found.oldest_waiting
    counts.add_row("oldest waiting", f"{oldest.name} since {_time(oldest.since)}" if oldest else "")
    for disk in found.disks:
        counts.add_row(f"free on {disk.storage}", f"{disk.free / 1e9:.1f} GB")
    waits = empty_table("dispatches", "wait for")
    for reason in found.waits_for:
        waits.add_row(str(reason.dispatches), reason.waits_for)
    return [counts, _beamlines(found.beamlines), *([waits] if found.waits_for else [])]


def _beamlines(found: Sequence[BeamlineState]) -> RenderableType:
    table = empty_table("beamline", "state", "backlog", "running", "last arrival", "triggers")
    for each in found:
        paused = f"since {_time(each.paused_at)}, {each.paused_by}: " if each.paused_at else ""
        table.add_row(
            each.id,
            _state("paused", paused + (each.pause_reason or "")) if paused else _state("ready"),
            str(each.backlog),
            str(each.running),
            _time(each.last_arrival) if each.last_arrival else "",
            Text("\n").join(_trigger(trigger) for trigger in each.triggers),
        )
    return table


def _trigger(found: TriggerState) -> Text:
    text = Text(f"{found.kind} ").append(_state(found.state))
    if found.heard_at and found.state != "off":
        text.append(f" heard {_time(found.heard_at)}", style="dim")
    if found.refused:
        text.append(f" refused {found.refused}", style="yellow")
    if found.note:
        text.append(f" {found.note}", style="dim")
    return text


def _count(number: int) -> Text:
    """Return a count that should be zero."""
    return Text(str(number), style="red" if number else "")


def status(found: Status, services: Mapping[str, Mapping[str, Any]]) -> list[RenderableType]:
    """Show the services, the counts and the beamlines."""
    table = empty_table("service", "state", "process", "ready after", "restarts", "")
    for name, each in services.items():
        seconds = each["seconds_to_ready"]
        table.add_row(
            name,
            _state(each["stage"]),
            str(each["pid"] or ""),
            f"{seconds:.1f} s" if seconds is not None else "",
            str(each["restarts"]),
            each["note"],
        )
    return [table, *status_tables(found)]


def findings(found: Sequence[Any]) -> RenderableType:
    """Show what the doctor found."""
    table = empty_table("what", "", "found", "how to mend it")
    for finding in found:
        table.add_row(finding.what, _state(finding.level), finding.found, finding.mend)
    return table


def _result(view: DatasetSummary) -> RenderableType:
    if view.result is None:
        return ""
    return _state(f"v{view.result.version} {view.result.verdict or ''}".strip())


def _state(state: str, reason: str | None = None) -> Text:
    text = Text(state.replace("_", " "), style=COLOURS.get(state.rsplit(" ", maxsplit=1)[-1], ""))
    if reason:
        text.append(f" {reason}", style="dim")
    return text


def _time(moment: datetime) -> str:
    return moment.astimezone().strftime("%m-%d %H:%M:%S")
