"""Turn values out of data files into JSON that PostgreSQL takes."""

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, cast


def to_json(value: object) -> str:
    """Write a value as JSON, whatever a file's header had in it (see :func:`plain`)."""
    return json.dumps(plain(value), ensure_ascii=False)


def plain(value: object) -> Any:
    """Return a value made of JSON's own types.

    What JSON or PostgreSQL do not know is replaced: NaN and infinities by None, zero bytes and
    broken characters in strings by nothing and ``?``, arrays and numpy's scalars by lists and
    numbers, and all else (times, paths, ids) by its text.
    """
    if hasattr(value, "tolist"):
        value = cast(Any, value).tolist()
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            pairs = cast(Mapping[object, object], value).items()
            return {_text(key): plain(below) for key, below in pairs}
        case list() | tuple() | set() | frozenset():
            return [plain(below) for below in cast(Iterable[object], value)]
        case _:
            return _text(value)


def _text(value: object) -> str:
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return text.replace("\0", "").encode(errors="replace").decode()
