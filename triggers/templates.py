"""Templates of paths: what a path tells, and where results go."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from functools import cache

OUTPUT_FIELDS = ("beamline", "proposal", "visit", "sample", "scan")
PATH_FIELDS = ("proposal", "visit", "sample", "scan")


def placeholders(template: str, allowed: tuple[str, ...]) -> set[str]:
    """Return the placeholders of a template; the error names the allowed ones."""
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"{template!r} has unbalanced braces ({error})") from error
    fields = {name for _, name, _, _ in parts if name is not None}
    plain = all(not spec and not conversion for _, _, spec, conversion in parts)
    if unknown := sorted(fields - set(allowed)):
        names = ", ".join(f"{{{name}}}" for name in allowed)
        raise ValueError(f"{{{unknown[0]}}} is not allowed in {template!r}; allowed are {names}")
    if not plain:
        raise ValueError(f"{template!r} may hold names in braces only, without formats")
    return fields


@cache
def matcher(template: str) -> re.Pattern[str]:
    """Turn a template into a pattern for the begin of a path; ``{_}`` stands for anything."""
    seen: set[str] = set()
    pattern = ""
    for text, name, _, _ in string.Formatter().parse(template):
        pattern += re.escape(text)
        if name is None:
            continue
        named = name != "_" and name not in seen
        pattern += f"(?P<{name}>[^/]+?)" if named else "[^/]+?"
        seen.add(name)
    return re.compile(pattern + r"(?:\.[^./]+)?(?:/|$)")


def describe(template: str, relative: str) -> dict[str, str]:
    """Read proposal, visit, sample and scan off a path, as far as the template fits it."""
    found = matcher(template).match(relative) if template else None
    return {key: value for key, value in found.groupdict().items() if value} if found else {}


def fill(template: str, known: Mapping[str, str]) -> str | None:
    """Fill a template with what is known; None if something that it asks for is not."""
    fields = placeholders(template, PATH_FIELDS)
    return template.format(**known) if fields <= known.keys() else None
