"""Principals, tokens and grants, for the staff; and who I am, for everybody."""

from __future__ import annotations

from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from catalog.access import grants, tokens
from catalog.access.grants import Level
from catalog.access.views import GrantView, NewToken, PrincipalView, TokenView
from catalog.api.problems import responses
from catalog.api.security import ReaderDep, StaffDep
from catalog.api.service import ServiceDep
from catalog.states import Role

router = APIRouter(prefix="/api", tags=["access"])
REFUSALS = responses(HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
MISSING = responses(HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)


class Me(BaseModel):
    """Who asks."""

    name: str = Field(examples=["li.wei", "anonymous"])
    role: str | None = Field(description="null without a token")
    sees_all: bool


class TokenWish(BaseModel):
    """A token to be made."""

    model_config = ConfigDict(extra="forbid")

    principal: str = Field(min_length=1, max_length=100, examples=["li.wei"])
    role: Role | None = Field(default=None, description="of a principal that is made with it")
    days: float | None = Field(default=None, gt=0, description="until it expires; null: never")
    label: str = Field(default="", max_length=100, description="what it is for")


class GrantWish(BaseModel):
    """A grant to be given."""

    model_config = ConfigDict(extra="forbid")

    principal: str = Field(min_length=1, max_length=100)
    proposal: str = Field(min_length=1, max_length=100)
    level: Level = "read"
    new_proposal: bool = Field(default=False, description="its data are still to come")


@router.get("/me")
def get_me(viewer: ReaderDep) -> Me:
    """Say who asks, as the history would name them."""
    role = str(viewer.role) if viewer.role else None
    return Me(name=viewer.name, role=role, sees_all=viewer.sees_all)


@router.get("/principals", responses=REFUSALS)
def list_principals(service: ServiceDep, viewer: StaffDep) -> list[PrincipalView]:
    """List the people and programs that have had a token or a grant."""
    with service.snapshot(viewer) as session:
        return tokens.principals(session)


@router.get("/tokens", responses=REFUSALS)
def list_tokens(service: ServiceDep, viewer: StaffDep) -> list[TokenView]:
    """List tokens, newest first; their secrets are kept nowhere."""
    with service.snapshot(viewer) as session:
        return tokens.tokens(session)


@router.post("/tokens", status_code=HTTPStatus.CREATED, responses=REFUSALS)
def post_token(wish: TokenWish, service: ServiceDep, viewer: StaffDep) -> NewToken:
    """Make a token; the answer is the only place where its secret stands."""
    with Session(service.engine) as session, session.begin():
        return tokens.create_token(
            session, wish.principal, role=wish.role, days=wish.days, label=wish.label
        )


@router.delete("/tokens/{token_id}", responses=MISSING)
def delete_token(token_id: UUID, service: ServiceDep, viewer: StaffDep) -> TokenView:
    """Revoke a token; it ends now and stays on record."""
    with Session(service.engine) as session, session.begin():
        return tokens.revoke_token(session, token_id)


@router.get("/grants", responses=REFUSALS)
def list_grants(service: ServiceDep, viewer: StaffDep) -> list[GrantView]:
    """List the grants that hold."""
    with service.snapshot(viewer) as session:
        return grants.grants(session)


@router.post("/grants", status_code=HTTPStatus.CREATED, responses=MISSING)
def post_grant(wish: GrantWish, service: ServiceDep, viewer: StaffDep) -> GrantView:
    """Let a user see the data of a proposal, or change them."""
    with Session(service.engine) as session, session.begin():
        return grants.give(
            session,
            wish.principal,
            wish.proposal,
            wish.level,
            by=viewer.actor(),
            new_proposal=wish.new_proposal,
        )


@router.delete("/grants/{principal}/{proposal}", responses=MISSING)
def delete_grant(principal: str, proposal: str, service: ServiceDep, viewer: StaffDep) -> GrantView:
    """Revoke a grant; it ends now and stays on record."""
    with Session(service.engine) as session, session.begin():
        return grants.revoke(session, principal, proposal, by=viewer.actor())
