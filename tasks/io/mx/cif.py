"""
The tables of an imgCIF header.

Headers come from templates that nobody checks, so they are read leniently: a loop whose values do
not fill its rows is left out, the rest counts.
"""

from __future__ import annotations

import re
from collections import defaultdict

Row = dict[str, str]
TOKEN = re.compile(
    r"""^;(?P<field>.*?)^;|\#[^\n]*|'(?P<single>[^\n]*?)'(?=\s|$)|"(?P<double>[^\n]*?)"(?=\s|$)"""
    r"""|(?P<word>\S+)""",
    re.MULTILINE | re.DOTALL,
)
UNKNOWN = (".", "?")


def tables_of(text: str) -> dict[str, list[Row]]:
    """
    Return the rows of each category, both by their names in small letters.

    Parameters
    ----------
    text
        An imgCIF header, without its binary section.
    """
    found: dict[str, list[Row]] = defaultdict(list)
    tokens = _tokens(text)
    at = 0
    while at < len(tokens):
        kind, token = tokens[at]
        at += 1
        if kind != "word":
            continue
        if token.lower() == "loop_":
            at = _loop(tokens, at, found)
        elif token.startswith("_") and at < len(tokens) and not _is_name(tokens[at]):
            category, item = _split(token)
            rows = found[category]
            if not rows:
                rows.append({})
            rows[0][item] = tokens[at][1]
            at += 1
    return dict(found)


def number(row: Row, item: str, otherwise: float = 0.0) -> float:
    """Return a number of a row; another one if it is unknown or none."""
    value = row.get(item, ".")
    try:
        return otherwise if value in UNKNOWN else float(value.split("(")[0])
    except ValueError:
        return otherwise


def word(row: Row, item: str) -> str:
    """Return a word of a row, empty if it is unknown."""
    value = row.get(item, "")
    return "" if value in UNKNOWN else value


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for match in TOKEN.finditer(text):
        kind = match.lastgroup
        if kind is not None:
            found.append((kind, match[kind]))
    return found


def _is_name(token: tuple[str, str]) -> bool:
    kind, text = token
    return kind == "word" and (text.startswith("_") or text.lower() == "loop_")


def _split(name: str) -> tuple[str, str]:
    category, _, item = name[1:].lower().partition(".")
    return category, item


def _loop(tokens: list[tuple[str, str]], at: int, found: dict[str, list[Row]]) -> int:
    """Take in a loop that begins at a token; return where it ends."""
    names: list[str] = []
    while at < len(tokens) and tokens[at][0] == "word" and tokens[at][1].startswith("_"):
        names.append(tokens[at][1])
        at += 1
    values: list[str] = []
    while at < len(tokens) and not _is_name(tokens[at]):
        values.append(tokens[at][1])
        at += 1
    if names and len(values) % len(names) == 0:
        category = _split(names[0])[0]
        items = [_split(name)[1] for name in names]
        for begin in range(0, len(values), len(items)):
            found[category].append(dict(zip(items, values[begin:], strict=False)))
    return at
