"""An arrival that a program of the facility announces: checked, and put into the inbox."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from sqlalchemy.orm import Session

from catalog import inbox, recipes, trigger_status
from catalog.errors import CatalogError
from catalog.inbox import Reported
from catalog.models import Beamline

SOURCE = "http"


class RefusedPathError(CatalogError):
    """A path that is none of the beamline's."""


def announce(
    session: Session,
    *,
    beamline: str,
    paths: Sequence[str],
    key: str,
    payload: Mapping[str, Any],
    actor: str,
) -> tuple[Reported, list[str]]:
    """Enter what somebody reports about a beamline's data.

    Parameters
    ----------
    session : Session
        The transaction; the caller commits.
    beamline : str
        Whose data.
    paths : sequence of str
        Files or folders, absolute or below one of the beamline's folders; they need not be there
        yet.
    key : str
        The caller's own name for it: the same again adds to what stands there.
    payload : mapping
        As :func:`catalog.inbox.report` takes it.
    actor : str
        Who reports.

    Returns
    -------
    What became of it, and the paths as they will be looked at.

    Raises
    ------
    NotFound
        There is no such beamline.
    RefusedPathError
        A path is in none of its folders.
    CatalogError
        The beamline takes no arrivals this way.
    """
    found = recipes.beamline_of(session, beamline)
    if SOURCE not in found.triggers:
        raise CatalogError(
            f"Beamline {beamline} takes no arrivals over HTTP: triggers.http is off in its settings"
        )
    places = [place(found, path) for path in paths]
    reported = inbox.report(
        session,
        beamline=beamline,
        source=SOURCE,
        key=key,
        paths=places,
        payload=payload,
        actor=actor,
    )
    trigger_status.tell(
        session,
        beamline,
        SOURCE,
        state="listening",
        heard_at=datetime.now(UTC),
        arrivals=int(reported.created),
    )
    return reported, places


def place(beamline: Beamline, path: str) -> str:
    """Return a path below one of a beamline's folders as an absolute one.

    Raises
    ------
    RefusedPathError
        It is elsewhere, or leads there.
    """
    asked = PurePosixPath(path)
    if ".." in asked.parts or "\0" in path or not path.strip():
        raise RefusedPathError(
            f"The path {path!r} is not taken: give it without '..', and not empty"
        )
    if asked.is_absolute():
        if any(asked.is_relative_to(folder) for folder in beamline.folders):
            return str(asked)
        raise RefusedPathError(
            f"{path} is in none of the folders of beamline {beamline.id} "
            f"({', '.join(beamline.folders)})"
        )
    places = [Path(folder) / asked for folder in beamline.folders]
    return str(next((place for place in places if place.exists()), places[0]))
