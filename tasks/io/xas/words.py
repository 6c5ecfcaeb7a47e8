"""Labels of columns taken apart into words."""

from __future__ import annotations

import re

SUFFIX = re.compile(r"_c\d+$")
NUMBERED = {
    # HXMA of the Canadian Light Source names its counters, not what they count; which is which
    # shows in the counts: one rises at the edge, one does not care, two fall
    "bl1606id1mcs03fbk": "ifluor",
    "bl1606id1mcs04fbk": "i0",
    "bl1606id1mcs05fbk": "itrans",
    "bl1606id1mcs06fbk": "irefer",
    "bl1606id1mcsdelay": "acqdwellmsec",
}


def words(label: str) -> list[str]:
    """Return the words of a label, in small letters."""
    plain = SUFFIX.sub("", label.strip().lower())
    return [word for word in re.split(r"[^a-z0-9]+", plain) if word]


def joined(label: str) -> str:
    """Return a label in small letters without anything between its words."""
    name = "".join(words(label))
    return NUMBERED.get(name, name)
