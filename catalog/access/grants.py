"""Grants: who may see and change the data of a proposal."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.access.tokens import ensure_principal, principal
from catalog.access.views import GrantView
from catalog.errors import CatalogError, NotFound
from catalog.models import AccessGrant, Principal, Proposal
from catalog.states import Role

Level = Literal["read", "write"]


def give(
    session: Session, name: str, proposal: str, level: Level, *, by: str, new_proposal: bool = False
) -> GrantView:
    """Let a user see the data of a proposal, or change them; a grant of another level is replaced.

    Parameters
    ----------
    session
        The transaction.
    name
        The principal; made as a user if need be, so that a grant may come before the token.
    proposal
        Its code.
    level
        ``read`` or ``write``.
    by
        Who grants.
    new_proposal
        Whether a proposal that is not known yet is entered: a visit that is still to come.

    Raises
    ------
    NotFound
        There is no such proposal.
    CatalogError
        The principal is not a user: staff see everything, and services nothing.
    """
    owner = ensure_principal(session, name)
    if owner.role != Role.USER:
        raise CatalogError(f"{name} is {owner.role}; grants are for users.")
    about = _proposal(session, proposal, new_proposal)
    held = _open(session, owner, about)
    if held is not None and held.level == level:
        return _view(held, name, proposal)
    if held is not None:
        _end(held, by)
        session.flush()
    grant = AccessGrant(principal_id=owner.id, proposal_id=about.id, level=level, granted_by=by)
    session.add(grant)
    session.flush()
    session.refresh(grant)
    return _view(grant, name, proposal)


def revoke(session: Session, name: str, proposal: str, *, by: str) -> GrantView:
    """End a grant; it stays on record.

    Raises
    ------
    NotFound
        There is no such grant.
    """
    held = _open(session, principal(session, name), _proposal(session, proposal))
    if held is None:
        raise NotFound(f"{name} holds no grant for {proposal}; `dayseye grant list` has all.")
    _end(held, by)
    session.flush()
    return _view(held, name, proposal)


def grants(
    session: Session, name: str | None = None, proposal: str | None = None
) -> list[GrantView]:
    """Return the grants that hold, by proposal and principal."""
    statement = (
        select(AccessGrant, Principal.name, Proposal.code)
        .join(Principal, Principal.id == AccessGrant.principal_id)
        .join(Proposal, Proposal.id == AccessGrant.proposal_id)
        .where(AccessGrant.revoked_at.is_(None))
        .order_by(Proposal.code, Principal.name)
    )
    if name is not None:
        statement = statement.where(Principal.name == name)
    if proposal is not None:
        statement = statement.where(Proposal.code == proposal)
    return [_view(*row) for row in session.execute(statement)]


def _proposal(session: Session, code: str, make: bool = False) -> Proposal:
    found = session.scalar(select(Proposal).where(Proposal.code == code))
    if found is None and make:
        found = Proposal(code=code)
        session.add(found)
        session.flush()
    if found is None:
        raise NotFound(
            f"No proposal {code!r} in the catalogue; where its data are still to come, say so with "
            "--new-proposal (`new_proposal` over the API)."
        )
    return found


def _open(session: Session, owner: Principal, about: Proposal) -> AccessGrant | None:
    return session.scalar(
        select(AccessGrant).where(
            AccessGrant.principal_id == owner.id,
            AccessGrant.proposal_id == about.id,
            AccessGrant.revoked_at.is_(None),
        )
    )


def _end(grant: AccessGrant, by: str) -> None:
    grant.revoked_at, grant.revoked_by = datetime.now(UTC), by


def _view(grant: AccessGrant, name: str, proposal: str) -> GrantView:
    return GrantView(
        principal=name,
        proposal=proposal,
        level=grant.level,
        granted_by=grant.granted_by,
        granted_at=grant.granted_at,
        revoked_by=grant.revoked_by,
        revoked_at=grant.revoked_at,
    )
