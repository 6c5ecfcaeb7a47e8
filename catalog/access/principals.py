"""Principals by their tokens: who somebody is, and what follows."""

from __future__ import annotations

import hashlib
from typing import Literal, get_args
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from catalog.access.viewer import Viewer
from catalog.models import AccessGrant, AccessToken, Principal
from catalog.states import Role

AnonymousMode = Literal["all", "public", "nothing"]
ANONYMOUS_MODES: tuple[AnonymousMode, ...] = get_args(AnonymousMode)


def digest(secret: str) -> str:
    """Return what is kept of a token."""
    return hashlib.sha256(secret.encode()).hexdigest()


def anonymous(mode: AnonymousMode) -> Viewer:
    """Return the viewer who shows no token: they never change anything."""
    return Viewer("anonymous", sees_all=mode == "all", sees_public=mode != "nothing")


def known_by(session: Session, secret: str) -> Viewer | None:
    """Return whose token this is; None when it is unknown, expired or revoked, or they are out."""
    statement = (
        select(Principal)
        .join(AccessToken, AccessToken.principal_id == Principal.id)
        .where(
            AccessToken.digest == digest(secret),
            AccessToken.revoked_at.is_(None),
            or_(AccessToken.expires_at.is_(None), AccessToken.expires_at > func.now()),
            Principal.disabled_at.is_(None),
        )
    )
    principal = session.scalars(statement).first()
    return viewer(session, principal) if principal else None


def viewer(session: Session, principal: Principal) -> Viewer:
    """Return a principal as a viewer, with the grants that hold now."""
    role = Role(principal.role)
    grants: dict[UUID, str] = {}
    if role == Role.USER:
        rows = session.execute(
            select(AccessGrant.proposal_id, AccessGrant.level).where(
                AccessGrant.principal_id == principal.id, AccessGrant.revoked_at.is_(None)
            )
        )
        grants = {proposal: level for proposal, level in rows}
    return Viewer(principal.name, role, grants, sees_all=role == Role.STAFF)
