"""Libraries: made, found, and who may add to them."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.access import Viewer
from catalog.errors import CatalogError, Forbidden, NotFound
from catalog.models import Library, Proposal


def create(
    session: Session,
    name: str,
    *,
    actor: str,
    description: str = "",
    licence: str = "",
    proposal: str | None = None,
) -> Library:
    """Make a library; with a proposal it is that team's and the staff's alone.

    Raises
    ------
    NotFound
        There is no such proposal.
    CatalogError
        There is a library of this name, or the name cannot be one.
    """
    usable = name.isprintable() and name == name.strip() and not name.startswith(".")
    if not name or not usable or "/" in name or len(name) > 100:
        raise CatalogError(
            f"A library cannot be called {name!r}: give a name without '/', which does not begin "
            "with a dot or a blank and has at most 100 letters."
        )
    if session.scalar(select(Library.id).where(Library.name == name)) is not None:
        raise CatalogError(f"There is a library {name!r} already; add to it, or give another name.")
    made = Library(
        name=name,
        description=description,
        licence=licence,
        proposal_id=None if proposal is None else _proposal(session, proposal).id,
        created_by=actor,
    )
    session.add(made)
    session.flush()
    return made


def find(session: Session, name: str) -> Library:
    """Return a library by its name.

    Raises
    ------
    NotFound
        There is none, or not for who looks through this session.
    """
    found = session.scalar(select(Library).where(Library.name == name))
    if found is None:
        raise NotFound(f"No library {name!r} in the catalogue; `dayseye library list` has all.")
    return found


def demand_write(session: Session, viewer: Viewer, name: str) -> None:
    """Let pass who may add to a library: staff and, where it is a proposal's, its writers.

    Raises
    ------
    NotFound
        There is no such library for this viewer.
    Forbidden
        They may see it and not change it.
    """
    row = session.execute(
        select(Library.proposal_id).where(Library.name == name, viewer.sees_library())
    ).first()
    if row is None:
        raise NotFound(f"No library {name!r} in the catalogue")
    if not viewer.may_write(row[0]):
        raise Forbidden(
            f"{viewer.name} may see the library {name} and not change it: that needs the staff or, "
            "where it is a proposal's own, a grant to write for that (`dayseye grant give`)"
        )


def _proposal(session: Session, code: str) -> Proposal:
    found = session.scalar(select(Proposal).where(Proposal.code == code))
    if found is None:
        raise NotFound(f"No proposal {code!r} in the catalogue: data or a grant make it known.")
    return found
