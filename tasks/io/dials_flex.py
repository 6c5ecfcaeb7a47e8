"""
Reflection tables as DIALS pickled them until 2019.

Nothing of a pickle is run: of the classes that it names only stand-ins are made, and they keep the
packed numbers. Those are packed to the base 256 (scitbx): a byte with sign and length, then the
digits; a real number is its mantissa and its exponent.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError

MODULES = (
    "dials_array_family_flex_ext",
    "scitbx_array_family_flex_ext",
    "cctbx_array_family_flex_ext",
)
WIDTHS = {"vec2_double": 2, "vec3_double": 3, "mat3_double": 9, "miller_index": 3, "int6": 6}
REAL = ("double", "float", "vec2_double", "vec3_double", "mat3_double")
WHOLE = {"int": np.int32, "size_t": np.int64, "miller_index": np.int32, "int6": np.int32}
SIGN = 128


class Flex:
    """Stands for an object of the pickle: its state and nothing else."""

    kind: str = ""

    def __init__(self, *_: object) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


@dataclass
class _Classes:
    """Makes one stand-in per class that a pickle names."""

    made: dict[str, type[Flex]] = field(default_factory=dict[str, type[Flex]])

    def get(self, name: str) -> type[Flex]:
        if name not in self.made:
            self.made[name] = type(name, (Flex,), {"kind": name})
        return self.made[name]


class _Unpickler(pickle.Unpickler):
    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content), encoding="bytes")
        self._classes = _Classes()

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if module_name not in MODULES:
            raise pickle.UnpicklingError(f"it names {module_name}.{global_name}")
        return self._classes.get(global_name)


def unpickle(content: bytes, where: str) -> dict[str, NDArray[Any]]:
    """
    Return the columns of a pickled table by their names; those of other kinds are left out.

    Raises
    ------
    DataError
        It is no such table.
    """
    try:
        table = _Unpickler(content).load()
        columns: dict[bytes, Flex] = table.state[-1]
        found = {name.decode(): _column(flex) for name, flex in columns.items()}
    except (pickle.UnpicklingError, EOFError, IndexError, TypeError, AttributeError) as error:
        raise DataError(
            f"{where} is no reflection table that can be read ({error}): write it again with a "
            f"version of DIALS from 2020 or later."
        ) from error
    return {name: column for name, column in found.items() if column is not None}


def _column(flex: Flex) -> NDArray[Any] | None:
    packed: bytes = flex.state[1]
    if flex.kind == "bool":
        count, begin = _whole(packed, 0)
        return np.frombuffer(packed, np.uint8, count, begin) == ord("1")
    width = WIDTHS.get(flex.kind, 1)
    if flex.kind in REAL:
        values = np.fromiter(_reals(packed), np.float64)
    elif flex.kind in WHOLE:
        values = np.array(list(_wholes(packed)), WHOLE[flex.kind])
    else:
        return None
    return values.reshape(-1, width) if width > 1 else values


def _whole(packed: bytes, at: int) -> tuple[int, int]:
    """Return a whole number and where the next one begins."""
    head = packed[at]
    end = at + max(head % SIGN, 1)
    value = int.from_bytes(packed[at + 1 : end], "little")
    return (-value if head >= SIGN else value), end


def _wholes(packed: bytes) -> Iterator[int]:
    _, at = _whole(packed, 0)
    while at < len(packed):
        value, at = _whole(packed, at)
        yield value


def _reals(packed: bytes) -> Iterator[float]:
    _, at = _whole(packed, 0)
    while at < len(packed):
        head = packed[at]
        digits = max(head % SIGN, 1) - 1
        mantissa = int.from_bytes(packed[at + 1 : at + 1 + digits], "big")
        at += 1 + digits
        if not mantissa:
            yield 0.0
            continue
        exponent, at = _whole(packed, at)
        value = float(mantissa) * 2.0 ** (exponent - 8 * digits)
        yield -value if head >= SIGN else value
