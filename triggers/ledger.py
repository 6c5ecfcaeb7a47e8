"""Where arrivals are entered, and what is asked about those that were."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Engine
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionError
from sqlalchemy.orm import Session

from catalog import inbox
from catalog.arrivals import Recorded, Sighting, record
from catalog.bulk import Outcome, record_many
from catalog.known_files import known_files
from triggers.arrival import Arrival
from triggers.beamline import Beamline
from triggers.settled import State

CATALOGUE_IS_AWAY = (OperationalError, InterfaceError, NoConnectionError)


class Ledger(Protocol):
    """Where arrivals are entered."""

    def record(self, arrival: Arrival) -> Recorded:
        """Enter an arrival; the second time, nothing changes."""
        ...

    def record_many(self, sightings: Sequence[Sighting]) -> Sequence[Outcome]:
        """Enter many at once; what cannot be entered has its error in its place."""
        ...

    def known(self, beamline: Beamline) -> Iterator[State]:
        """Yield the files that need no second look, as they were."""
        ...

    def is_reported(self, beamline: Beamline) -> bool:
        """Tell whether anything was ever reported about a beamline's data."""
        ...

    def about(self, beamline: Beamline, path: Path, uid: str | None) -> Mapping[str, Any]:
        """Return what was reported about a file or series, for the scan with a uid."""
        ...


class Catalogue:
    """The ledger in the database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def record(self, arrival: Arrival) -> Recorded:
        """Enter an arrival in one transaction."""
        sighting = arrival.sighting()  # before the transaction: this reads files
        with Session(self._engine) as session, session.begin():
            return record(session, sighting)

    def record_many(self, sightings: Sequence[Sighting]) -> list[Outcome]:
        """Enter many arrivals in one transaction."""
        with Session(self._engine) as session, session.begin():
            return record_many(session, sightings)

    def known(self, beamline: Beamline) -> Iterator[State]:
        """Yield the files that the catalogue knows in full."""
        with Session(self._engine) as session:
            yield from known_files(session, beamline.id)

    def is_reported(self, beamline: Beamline) -> bool:
        """Tell whether the inbox has any row of a beamline."""
        with Session(self._engine) as session:
            return inbox.has_any(session, beamline.id)

    def about(self, beamline: Beamline, path: Path, uid: str | None) -> Mapping[str, Any]:
        """Return what the inbox says about a file or series, for the scan with a uid."""
        with Session(self._engine) as session:
            return inbox.about(session, beamline.id, path, uid=uid)
