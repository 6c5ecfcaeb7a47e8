"""Tokens and grants: made, known, replaced, ended."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from catalog.access import grants, known_by, tokens
from catalog.errors import CatalogError, NotFound
from catalog.models import AccessGrant, AccessToken
from catalog.states import Role


@pytest.fixture
def session(catalog_engine: Engine) -> Iterator[Session]:
    with Session(catalog_engine) as session:
        yield session


def test_only_the_digest_of_a_token_is_kept(session: Session) -> None:
    made = tokens.create_token(session, "li.wei")
    row = session.scalars(select(AccessToken)).one()
    assert made.token not in str(vars(row))
    assert len(row.digest) == 64
    assert made.role == "user"


def test_a_token_says_who_somebody_is(session: Session) -> None:
    made = tokens.create_token(session, "li.wei")
    grants.give(session, "li.wei", "2026-1", "write", by="staff", new_proposal=True)
    viewer = known_by(session, made.token)
    assert viewer is not None
    assert (viewer.name, viewer.role, list(viewer.grants.values())) == ("li.wei", "user", ["write"])
    assert not viewer.sees_all
    tokens.revoke_token(session, made.id)
    assert known_by(session, made.token) is None


def test_who_is_shut_out_comes_in_again(session: Session) -> None:
    made = tokens.create_token(session, "li.wei", role=Role.STAFF)
    tokens.set_disabled(session, "li.wei", True)
    assert known_by(session, made.token) is None
    tokens.set_disabled(session, "li.wei", False)
    viewer = known_by(session, made.token)
    assert viewer is not None
    assert viewer.sees_all


def test_a_principal_keeps_its_role(session: Session) -> None:
    tokens.create_token(session, "li.wei")
    with pytest.raises(CatalogError, match="is user, not staff"):
        tokens.create_token(session, "li.wei", role=Role.STAFF)


@pytest.mark.parametrize("name", ["", " ", "a ", "cli:root", "anonymous", "trigger"])
def test_a_name_that_could_be_mistaken_is_refused(session: Session, name: str) -> None:
    with pytest.raises(CatalogError, match="called"):
        tokens.create_token(session, name)


def test_a_grant_of_another_level_takes_the_place_of_the_first(session: Session) -> None:
    grants.give(session, "li.wei", "2026-1", "read", by="a", new_proposal=True)
    grants.give(session, "li.wei", "2026-1", "write", by="b")
    grants.give(session, "li.wei", "2026-1", "write", by="c")
    held = grants.grants(session)
    assert [(each.level, each.granted_by) for each in held] == [("write", "b")]
    rows = session.scalars(select(AccessGrant)).all()
    assert len(rows) == 2, "the first one stays on record"
    ended = grants.revoke(session, "li.wei", "2026-1", by="d")
    assert ended.revoked_by == "d"
    assert grants.grants(session) == []


def test_a_typing_error_makes_no_proposal(session: Session) -> None:
    with pytest.raises(NotFound, match="new-proposal"):
        grants.give(session, "li.wei", "2026-l", "read", by="a")


def test_grants_are_for_users(session: Session) -> None:
    tokens.create_token(session, "boss", role=Role.STAFF)
    with pytest.raises(CatalogError, match="grants are for users"):
        grants.give(session, "boss", "2026-1", "read", by="a", new_proposal=True)
