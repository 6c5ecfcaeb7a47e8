"""Patterns of paths, as rules use them: ``*`` within a name, ``**`` for any folders."""

from __future__ import annotations

import re
from functools import cache
from itertools import product

MOST_TRIES = 3000
"""So many ways to fill in a pattern's wildcards are tried when patterns are compared."""


def problem(pattern: str) -> str | None:
    """Say what is wrong with a pattern, or None."""
    parts = pattern.split("/")
    mistakes = {
        "it is empty": not pattern.strip(),
        "it must be below the beamline's folder, without a leading /": pattern.startswith("/"),
        "it may not hold '//', '.' or '..' as parts": not {"", ".", ".."}.isdisjoint(parts),
        "** stands alone between two /": any("**" in part and part != "**" for part in parts),
        "folders are separated by /": "\\" in pattern,
        "a [ is not closed": any(
            _class_end(part, at) is None for part in parts for at in _openings(part)
        ),
    }
    return next((sentence for sentence, is_so in mistakes.items() if is_so), None)


@cache
def matcher(pattern: str) -> re.Pattern[str]:
    """Turn a pattern into an expression that a whole path must match."""
    parts = pattern.split("/")
    text = ""
    for number, part in enumerate(parts):
        is_last = number == len(parts) - 1
        if part == "**":
            text += ".+" if is_last else "(?:[^/]+/)*"
        else:
            text += _part(part) + ("" if is_last else "/")
    return re.compile(text, re.DOTALL)


def matches(pattern: str, path: str) -> bool:
    """Tell whether a path, below the beamline's folder, fits a pattern."""
    return matcher(pattern).fullmatch(path) is not None


def covers(wider: str, narrower: str) -> bool:
    """
    Tell whether all that one pattern matches is matched by another one.

    Decided by trying: each wildcard of the narrower one is filled in with nothing, with one and
    with two signs that no pattern holds. With so many wildcards that this takes too long, the
    answer is no.
    """
    choices: list[tuple[str, ...]] = []
    for piece in re.split(r"(\*\*/|\*\*|\*|\?|\[[^]]+\])", narrower):
        choices.append(_fillings(piece, wider))
    tries = 1
    for each in choices:
        tries *= len(each)
    if tries > MOST_TRIES:
        return False
    return all(matches(wider, "".join(pieces)) for pieces in product(*choices))


def _fillings(piece: str, wider: str) -> tuple[str, ...]:
    """Return what a piece of a pattern is tried with."""
    match piece:
        case "**/":
            return ("", "\x01/", "\x01/\x02/")
        case "**":
            return ("\x01", "\x01/\x02")
        case "*":
            return ("", "\x01", "\x01\x02")
        case "?":
            return ("\x01",)
        case _ if piece.startswith("[") and piece.endswith("]"):
            # the same class in the wider pattern matches; otherwise only a wildcard would
            return (piece[1],) if piece in wider else ("\x01",)
        case _:
            return (piece,)


def _part(part: str) -> str:
    """Translate one part of a path."""
    text, at = "", 0
    while at < len(part):
        sign = part[at]
        if sign == "*":
            text += "[^/]*"
        elif sign == "?":
            text += "[^/]"
        elif sign == "[":
            end = _class_end(part, at) or at
            inside = part[at + 1 : end]
            negated = inside.startswith("!")
            allowed = re.escape(inside[negated:]).replace("\\-", "-")
            text += f"[^/{allowed}]" if negated else f"[{allowed}]"
            at = end
        else:
            text += re.escape(sign)
        at += 1
    return text


def _openings(part: str) -> list[int]:
    """Return where classes such as ``[0-9]`` begin."""
    starts: list[int] = []
    at = part.find("[")
    while at >= 0:
        starts.append(at)
        at = part.find("[", (_class_end(part, at) or at) + 1)
    return starts


def _class_end(part: str, at: int) -> int | None:
    """Return where the class that begins here ends; it holds at least one sign."""
    end = part.find("]", at + 2 + (part[at + 1 : at + 2] == "!"))
    return end if end >= 0 else None
