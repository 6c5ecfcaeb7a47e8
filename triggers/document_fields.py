"""What single Bluesky documents tell, read with care: they come from outside."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeGuard

from triggers.reports import RefusedError

Document = Mapping[str, Any]

WORDS: dict[str, tuple[str, ...]] = {
    "proposal": ("proposal", "proposal_id", "proposal_number"),
    "visit": ("visit", "visit_id", "instrument_session", "data_session"),
    "sample": ("sample", "sample_name"),
    "scan": ("scan", "scan_name"),
    "plan": ("plan_name",),
}
"""Where facilities put what we ask for, in their start documents."""
INSIDE_WORDS = ("name", "proposal_id", "id", "code")
LONGEST_TEXT = 1000
LONGEST_LIST = 50


def about_start(start: Document) -> dict[str, Any]:
    """Read what a start document tells about its scan."""
    found: dict[str, Any] = {name: _word(start, keys) for name, keys in WORDS.items()}
    found["started_at"] = moment(start.get("time"))
    found["expected_frames"] = whole(start.get("expected_frames"))
    known = {key for keys in WORDS.values() for key in keys} | {"uid", "time", "files"}
    rest = {key: short(value) for key, value in start.items() if key not in known}
    found["metadata"] = {"bluesky": rest} if rest else None
    return {name: value for name, value in found.items() if value not in (None, "")}


def aborted_because(status: str, reason: object) -> str:
    """Say why a run did not come to its end."""
    word = "failed" if status == "fail" else "was aborted"
    said = str(reason or "").strip()[:LONGEST_TEXT]
    return f"The Bluesky run {word}: {said}" if said else f"The Bluesky run {word}"


def _word(start: Document, keys: tuple[str, ...]) -> str | None:
    for key in keys:
        value = start.get(key)
        if isinstance(value, Mapping):
            value = next((value[name] for name in INSIDE_WORDS if value.get(name)), None)
        if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip():
            return str(value).strip()[:LONGEST_TEXT]
    return None


def text_of(document: Document, key: str) -> str:
    """Return a text that a document must have."""
    value = document.get(key)
    if not isinstance(value, str) or not value:
        raise RefusedError("field", f"A document has no text {key!r}")
    return value


def whole(value: object) -> int | None:
    """Return a whole number above zero, or None."""
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if value > 0 else None


def moment(seconds: object) -> str | None:
    """Return a time of the epoch as ISO text in UTC."""
    if not isinstance(seconds, int | float):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    except (OverflowError, ValueError, OSError):
        return None


def short(value: object, depth: int = 0) -> Any:
    """Return a value with long texts and lists cut, for the metadata."""
    if isinstance(value, str):
        return value[:LONGEST_TEXT]
    if isinstance(value, Mapping):
        items = list(value.items())[:LONGEST_LIST]
        return {str(key): short(below, depth + 1) for key, below in items} if depth < 5 else "..."
    if is_list(value):
        return [short(below, depth + 1) for below in value[:LONGEST_LIST]] if depth < 5 else "..."
    return value


def is_list(value: object) -> TypeGuard[list[Any] | tuple[Any, ...]]:
    """Whether a value came as a list."""
    return isinstance(value, list | tuple)
