"""Documents off the wire: msgpack only, and of that only plain values.

Bluesky's default is pickle, which runs whatever its sender likes. So does the usual decoder of
numpy values in msgpack (``msgpack_numpy.decode``): an array of objects in it is a pickle. Neither
is used here; a message that holds one is refused as it stands.
"""

from __future__ import annotations

import re
from typing import Any

import msgpack
import numpy as np

from triggers.document_fields import Document
from triggers.reports import RefusedError

LARGEST_ARRAY = 1000
"""Elements; larger arrays are data, which nobody looks for in a document."""
NUMBERS = re.compile(r"[<>|=]?[biufcSU?]\d*")


def document(name: bytes | str, packed: bytes) -> tuple[str, Document]:
    """
    Unpack a document.

    Parameters
    ----------
    name
        Its kind, as it stands before it on the wire.
    packed
        The document itself.

    Raises
    ------
    RefusedError
        It is a pickle, holds one, or is no map in msgpack.
    """
    return _checked(name, value(packed))


def pair(packed: bytes) -> tuple[str, Document]:
    """Unpack a name and its document, packed together as bluesky-kafka does."""
    found = value(packed)
    if not isinstance(found, list) or len(found) != 2:
        raise RefusedError("form", "It is not a pair of a name and a document")
    return _checked(found[0], found[1])


def value(packed: bytes) -> Any:
    """Unpack any value of plain types."""
    if _is_pickle(packed):
        raise RefusedError(
            "pickle",
            "It is a pickle, which could run any program here. Let the publisher use msgpack "
            "(serializer=partial(msgpack.packb, default=msgpack_numpy.encode))",
        )
    try:
        return msgpack.unpackb(packed, raw=False, strict_map_key=False, object_hook=_plain)
    except RefusedError:
        raise
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise RefusedError("form", f"It is not msgpack ({error})") from error


def _checked(name: object, found: object) -> tuple[str, Document]:
    text = name.decode(errors="replace") if isinstance(name, bytes) else name
    if not isinstance(text, str) or not isinstance(found, dict):
        raise RefusedError("form", "It is not a name with a map of values")
    return text, found


def _is_pickle(packed: bytes) -> bool:
    """Tell a pickle by its first bytes: protocol 2 to 5, or the dictionaries of older ones."""
    return (packed[:1] == b"\x80" and packed[1:2] in b"\x02\x03\x04\x05") or packed[:2] in (
        b"(d",
        b"c_",
    )


def _plain(found: dict[Any, Any]) -> Any:
    """Turn numpy's numbers and small arrays, as msgpack-numpy writes them, into plain values."""
    if b"nd" not in found:
        return found
    if found.get(b"kind") == b"O":
        raise RefusedError("pickle", "It holds a numpy array of objects, which is a pickle")
    kind, data = found.get(b"type"), found.get(b"data")
    if not (isinstance(kind, str) and NUMBERS.fullmatch(kind) and isinstance(data, bytes)):
        return None  # records and what else nobody asks for
    numbers = np.frombuffer(data, np.dtype(kind)) if data else np.empty(0)
    if found[b"nd"] is False:
        return numbers[0].item() if len(numbers) else None
    return numbers.tolist() if len(numbers) <= LARGEST_ARRAY else None
