"""Watches for what lasts and needs a person: a backlog, a full disk, a silent trigger."""

import shutil
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from catalog import notifications
from catalog.models import Beamline, Run, TriggerStatus
from catalog.recipes import output_root
from catalog.states import RunState
from infra.caretaker.job import Care
from infra.settings import Settings
from triggers import beamline as rules

# What was told ends only when it is clearly over, so that a value at the limit tells once.
CLEARLY = 0.8


class Watch:
    """Looks again and again; a trigger must be out of reach at two looks before that is told."""

    def __init__(self) -> None:
        self._unreachable: set[str] = set()

    def look(self, care: Care) -> None:
        """Begin and end the conditions that people are told about."""
        settings = care.settings
        with Session(care.engine) as session, session.begin():
            watch_backlog(session, settings.notifications.backlog)
            watch_disks(session, _folders(care), settings.notifications.low_disk_gb)
            self._unreachable = watch_triggers(session, settings.beamlines, self._unreachable)


def watch_backlog(session: Session, limit: int) -> None:
    """Tell when too many runs wait."""
    some = select(Run.id).where(Run.state == RunState.WAITING).limit(limit).subquery()
    waiting = session.scalar(select(func.count()).select_from(some)) or 0
    if waiting >= limit:
        message = f"{limit} runs or more wait: `dayseye status` says for what."
        notifications.begin(session, "backlog", "runs", message)
    elif waiting < limit * CLEARLY:
        notifications.end(session, "backlog", "runs")


def watch_disks(session: Session, folders: Iterable[Path], limit_gb: float) -> None:
    """Tell of a disk that fills, once for each disk that holds one of the folders."""
    for folder in _one_per_disk(folders):
        free = shutil.disk_usage(folder).free / 1e9
        if free < limit_gb:
            message = f"Only {free:.1f} GB are free at {folder} (limit {limit_gb:g} GB): make room."
            notifications.begin(session, "low_disk", str(folder), message)
        elif free * CLEARLY >= limit_gb:
            notifications.end(session, "low_disk", str(folder))


def watch_triggers(
    session: Session, beamlines: Iterable[rules.Beamline], seen_unreachable: set[str]
) -> set[str]:
    """Tell of triggers that are silent or out of reach; return which are out of reach now."""
    limits = {each.id: each.triggers.silent_after_hours for each in beamlines}
    unreachable: set[str] = set()
    for row in session.scalars(select(TriggerStatus)):
        subject = f"{row.beamline_id}/{row.kind}"
        told = {"beamline": row.beamline_id}
        _judge_silence(session, row, limits.get(row.beamline_id))
        if row.state == "unreachable":
            unreachable.add(subject)
            if subject in seen_unreachable:
                message = f"{row.kind} of {row.beamline_id} is out of reach: {row.note or '-'}"
                notifications.begin(session, "trigger", subject, message, **told)
        elif row.state == "silent":
            since = f"{row.heard_at:%Y-%m-%d %H:%M} UTC" if row.heard_at else "its start"
            message = f"Nothing was heard from {row.kind} of {row.beamline_id} since {since}."
            notifications.begin(session, "trigger", subject, message, **told)
        else:
            notifications.end(session, "trigger", subject)
    return unreachable


def _judge_silence(session: Session, row: TriggerStatus, hours: float | None) -> None:
    """Call a listening trigger silent when it was not heard of for too long, and back.

    One that was never heard of counts from when the platform started.
    """
    if hours is None or row.state not in ("listening", "silent"):
        return
    since = row.heard_at or session.get_one(Beamline, row.beamline_id).published_at
    is_silent = since < datetime.now(UTC) - timedelta(hours=hours)
    row.state = "silent" if is_silent else "listening"


def _folders(care: Care) -> list[Path]:
    settings: Settings = care.settings
    outputs = [Path(output_root(each.output)) for each in settings.beamlines]
    return [care.addresses.state.folder, *outputs]


def _one_per_disk(folders: Iterable[Path]) -> list[Path]:
    """Return, of folders on one disk, the first; one that is not there yet is its parent."""
    found: dict[int, Path] = {}
    for folder in folders:
        existing = next(each for each in (folder, *folder.parents) if each.exists())
        found.setdefault(existing.stat().st_dev, existing)
    return list(found.values())
