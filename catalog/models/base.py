"""What all tables share: names of constraints, types, time-ordered keys."""

import secrets
import threading
import time
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, MetaData, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase

NAMES = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {  # noqa: RUF012 - the form that SQLAlchemy reads
        str: Text,
        int: BigInteger,
        UUID: Uuid,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[Any]: JSONB,
        list[str]: ARRAY(Text),
    }


class _Clock:
    """Gives every key a later time than the one before, in units of 1/4096 ms."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def tick(self) -> int:
        with self._lock:
            self._last = max(self._last + 1, time.time_ns() * 4096 // 1_000_000)
            return self._last


_clock = _Clock()


def uuid7() -> UUID:
    """Make a time-ordered key (RFC 9562, version 7); those of one process come in order.

    48 bits of milliseconds and 12 bits of their fractions, then 62 random bits. Made here, since
    PostgreSQL has ``uuidv7()`` from version 18 only.
    """
    milliseconds, fraction = divmod(_clock.tick(), 4096)
    high = (milliseconds << 16) | (0x7 << 12) | fraction
    return UUID(int=(high << 64) | (0b10 << 62) | secrets.randbits(62))


def one_of(column: str, values: type[StrEnum]) -> str:
    """Write the check that a column holds one of an enumeration's values."""
    return f"{column} IN ({', '.join(repr(str(value)) for value in values)})"
