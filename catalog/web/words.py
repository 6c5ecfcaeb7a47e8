"""How values read on a page: sizes, times, numbers, and the tone that a word carries."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from math import floor, log10
from typing import Any, cast

TONES = {
    "ok": "ok",
    "completed": "ok",
    "validated": "ok",
    "ready": "ok",
    "listening": "ok",
    "paused": "check",
    "silent": "check",
    "unreachable": "bad",
    "check": "check",
    "incomplete": "check",
    "waiting_for_calibration": "check",
    "lost": "check",
    "bad": "bad",
    "quarantined": "bad",
    "aborted": "bad",
    "failed": "bad",
    "running": "run",
    "waiting": "idle",
    "registered": "idle",
    "acquired": "idle",
    "cancelled": "idle",
}

_SIZES = ("B", "kB", "MB", "GB", "TB", "PB")


def tone(word: str | None) -> str:
    """Return the tone of a state or a verdict."""
    return TONES.get(word or "", "idle")


def plain(word: str) -> str:
    """Return an identifier as words: `waiting_for_calibration` reads better with spaces."""
    return word.replace("_", " ")


def size(count: int) -> str:
    """Return a number of bytes in decimal units."""
    value = float(count)
    unit = _SIZES[0]
    for unit in _SIZES:
        if value < 999.5 or unit == _SIZES[-1]:
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"


def seconds(value: float | None) -> str:
    """Return a duration in the unit that suits it."""
    if value is None:
        return ""
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < 60:
        return f"{value:.1f} s"
    minutes = int(value) // 60
    if minutes < 60:
        return f"{minutes} min {int(value) % 60} s"
    hours = minutes // 60
    return f"{hours} h {minutes % 60} min" if hours < 48 else f"{hours // 24} days"


def moment(value: datetime | None) -> str:
    """Return a time in UTC, to the second."""
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if value else ""


def iso(value: datetime) -> str:
    """Return a time as HTML's `datetime` attribute wants it."""
    return value.astimezone(UTC).isoformat(timespec="seconds")


def ago(value: datetime) -> str:
    """Return how long ago something was."""
    passed = int((datetime.now(UTC) - value).total_seconds())
    if passed < 5:
        return "just now"
    for unit, length in (("days", 86_400), ("h", 3600), ("min", 60)):
        if passed >= 2 * length:
            return f"{passed // length} {unit} ago"
    return f"{passed} s ago"


def number(value: Any) -> str:
    """Return a value of a recipe or of a quality figure."""
    if value is None or isinstance(value, bool):
        return {None: "not set", True: "yes", False: "no"}[value]
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str | int):
        return str(value)
    if isinstance(value, list):
        return ", ".join(number(each) for each in cast("list[Any]", value)) or "none"
    if isinstance(value, dict):
        known = cast("dict[str, Any]", value)
        measured = _measured(known)
        return _with_sigma(*measured) if measured else figures(known)
    return json.dumps(value, ensure_ascii=False)


def figures(values: dict[str, Any]) -> str:
    """Return the figures of a stage in one line."""
    return ", ".join(f"{plain(name)} {number(value)}" for name, value in values.items())


def lines(value: Any) -> list[str]:
    """Return a figure line by line; of a composition what there is most of first."""
    if not isinstance(value, dict) or _measured(known := cast("dict[str, Any]", value)):
        return [number(value)]
    parts = {name: measured for name, each in known.items() if (measured := _measured(each))}
    if parts and parts.keys() == known.keys():
        ranked = sorted(parts.items(), key=lambda part: -part[1][0])
        return [f"{name} {_with_sigma(*measured)}" for name, measured in ranked]
    return [f"{plain(name)} {number(each)}" for name, each in known.items()]


def _measured(value: Any) -> tuple[float, float] | None:
    """Return a number with its standard uncertainty, as ``{"fraction": 0.5, "sigma": 0.02}``."""
    if not isinstance(value, dict) or len(known := cast("dict[str, Any]", value)) != 2:
        return None
    sigma = known.get("sigma")
    (found, *_) = (each for name, each in known.items() if name != "sigma")
    if isinstance(sigma, int | float) and isinstance(found, int | float):
        return float(found), float(sigma)
    return None


def _with_sigma(value: float, sigma: float) -> str:
    """Round a number to the second digit of its uncertainty."""
    digits = max(0, 1 - floor(log10(sigma))) if sigma > 0 else 6
    return f"{value:.{digits}f} ± {sigma:.{digits}f}"


FILTERS: dict[str, Callable[..., str | list[str]]] = {
    "tone": tone,
    "plain": plain,
    "size": size,
    "seconds": seconds,
    "moment": moment,
    "iso": iso,
    "ago": ago,
    "number": number,
    "figures": figures,
    "lines": lines,
}
