"""Principals and their tokens: made, listed, revoked."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from catalog.access.principals import digest
from catalog.access.views import NewToken, PrincipalView, TokenView
from catalog.actors import AUTOMATIC
from catalog.errors import CatalogError, NotFound
from catalog.models import AccessToken, Principal
from catalog.states import Role

LOGIN = "login in a browser"
PREFIX = "dayseye_"


def principal(session: Session, name: str) -> Principal:
    """Return a principal by its name.

    Raises
    ------
    NotFound
        There is none.
    """
    found = session.scalar(select(Principal).where(Principal.name == name))
    if found is None:
        raise NotFound(f"No principal {name!r}; `dayseye token create {name}` makes it.")
    return found


def ensure_principal(session: Session, name: str, role: Role | None = None) -> Principal:
    """Return a principal; one that is not there yet is made, as a user where no role is given.

    Raises
    ------
    CatalogError
        It is there with another role, or the name cannot be one.
    """
    found = session.scalar(select(Principal).where(Principal.name == name))
    if found is None:
        taken = name in AUTOMATIC or name == "anonymous"
        if not name.strip() or name != name.strip() or ":" in name or taken:
            raise CatalogError(
                f"A principal cannot be called {name!r}: the history would not tell who it is; "
                "give a plain name."
            )
        found = Principal(name=name, role=role or Role.USER)
        session.add(found)
        session.flush()
    elif role is not None and found.role != role:
        raise CatalogError(
            f"{name} is {found.role}, not {role}: give the new role another name, so that the "
            "history stays clear."
        )
    return found


def create_token(
    session: Session,
    name: str,
    *,
    role: Role | None = None,
    days: float | None = None,
    label: str = "",
) -> NewToken:
    """Make a token for a principal, who is made as well if need be.

    Returns
    -------
    NewToken
        The only place where the secret stands: the catalogue keeps its digest.
    """
    owner = ensure_principal(session, name, role)
    secret = PREFIX + secrets.token_urlsafe(32)
    token = AccessToken(
        principal_id=owner.id,
        digest=digest(secret),
        label=label,
        expires_at=datetime.now(UTC) + timedelta(days=days) if days else None,
    )
    session.add(token)
    session.flush()
    session.refresh(token)
    return NewToken(**_view(token, owner).model_dump(), token=secret)


def revoke_token(session: Session, token_id: UUID) -> TokenView:
    """End a token now; one that had ended stays as it is.

    Raises
    ------
    NotFound
        There is no such token.
    """
    token = session.get(AccessToken, token_id)
    if token is None:
        raise NotFound(f"No token {token_id}; `dayseye token list` has the ids.")
    if token.revoked_at is None:
        token.revoked_at = datetime.now(UTC)
        session.flush()
    return _view(token, session.get_one(Principal, token.principal_id))


def revoke_secret(session: Session, secret: str) -> None:
    """End the token that a browser shows when it logs out."""
    token = session.scalar(select(AccessToken).where(AccessToken.digest == digest(secret)))
    if token is not None and token.revoked_at is None:
        token.revoked_at = datetime.now(UTC)


def set_disabled(session: Session, name: str, disabled: bool) -> PrincipalView:
    """Shut a principal out with all of its tokens, or let it in again."""
    found = principal(session, name)
    found.disabled_at = datetime.now(UTC) if disabled else None
    session.flush()
    return _principal_view(found)


def principals(session: Session) -> list[PrincipalView]:
    """Return all principals, by name."""
    return [
        _principal_view(each)
        for each in session.scalars(select(Principal).order_by(Principal.name))
    ]


def tokens(session: Session, name: str | None = None) -> list[TokenView]:
    """Return the tokens that hold, and those that did, newest first; logins are left out."""
    statement = (
        select(AccessToken, Principal)
        .join(Principal, Principal.id == AccessToken.principal_id)
        .where(AccessToken.label != LOGIN)
        .order_by(AccessToken.id.desc())
    )
    if name is not None:
        statement = statement.where(Principal.id == principal(session, name).id)
    return [_view(token, owner) for token, owner in session.execute(statement)]


def forget_logins(session: Session, keep: timedelta = timedelta(days=30)) -> int:
    """Remove logins that ended long ago; other tokens stay as a record."""
    over = select(AccessToken).where(
        AccessToken.label == LOGIN, AccessToken.expires_at < func.now() - keep
    )
    rows: Sequence[AccessToken] = session.scalars(over).all()
    for row in rows:
        session.delete(row)
    return len(rows)


def _principal_view(row: Principal) -> PrincipalView:
    return PrincipalView(name=row.name, role=row.role, disabled_at=row.disabled_at)


def _view(token: AccessToken, owner: Principal) -> TokenView:
    return TokenView(
        id=token.id,
        principal=owner.name,
        role=owner.role,
        label=token.label,
        created_at=token.created_at,
        expires_at=token.expires_at,
        revoked_at=token.revoked_at,
    )
