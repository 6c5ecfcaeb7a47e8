"""Logging in with a browser: the cookie, where it leads, and what others cannot make of it."""

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from catalog.access import grants, tokens
from catalog.api import create_app
from catalog.api.security import COOKIE
from catalog.web.login import inside

SITE = "http://127.0.0.1"
OURS = {"origin": SITE}
INSTALLATION = "correct horse battery staple"


@pytest.fixture
def site(catalog_engine: Engine, world, fresh_lives):
    """Pages that show nothing to who has not logged in."""
    app = create_app(
        catalog_engine, public_url=SITE, prefect_ui_url="", token=INSTALLATION, anonymous="nothing"
    )
    with TestClient(app, base_url=SITE, follow_redirects=False) as client:
        yield client


@pytest.fixture
def token(catalog_engine: Engine, fresh_lives) -> str:
    """A token of a user who may change the data of the proposal."""
    with Session(catalog_engine) as session, session.begin():
        grants.give(session, "li.wei", "2026-0117", "write", by="test")
        return tokens.create_token(session, "li.wei").token


def log_in(site: TestClient, token: str, to: str = "/", **headers: str):
    return site.post("/login", data={"token": token, "to": to}, headers=OURS | headers)


def test_pages_after_logging_in(site, token, fresh_lives) -> None:
    page = f"/datasets/{fresh_lives.tooth}"
    refused = site.get(page, headers={"accept": "text/html"})
    assert refused.status_code == 401
    assert f"/login?to={page}" in refused.text
    answer = log_in(site, token, page)
    assert (answer.status_code, answer.headers["location"]) == (303, page)
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert token not in answer.headers["set-cookie"], "the browser keeps a login, not the token"
    shown = site.get(page)
    assert shown.status_code == 200
    assert "li.wei" in shown.text
    assert site.get(f"/datasets/{fresh_lives.failed}").status_code == 404, "not their proposal"


def test_logging_out_ends_the_login_everywhere(site, token) -> None:
    log_in(site, token)
    stolen = site.cookies[COOKIE]
    assert site.post("/logout", headers=OURS).status_code == 303
    site.cookies.set(COOKIE, stolen)
    assert site.get("/").status_code == 401


@pytest.mark.parametrize("given", ["", "wrong", "牙"])
def test_a_wrong_token_is_refused(site, given) -> None:
    answer = log_in(site, given)
    assert answer.status_code == 401
    assert "not known here" in answer.text
    assert COOKIE not in site.cookies


def test_the_installation_logs_in_as_staff(site, fresh_lives) -> None:
    log_in(site, INSTALLATION)
    assert site.get(f"/datasets/{fresh_lives.failed}").status_code == 200
    assert site.get("/api/me").json() == {"name": "installation", "role": "staff", "sees_all": True}


@pytest.mark.parametrize(
    "headers",
    [{"origin": "http://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}],
)
def test_forms_of_other_sites_are_refused(site, token, fresh_lives, headers) -> None:
    answer = site.post("/login", data={"token": token}, headers=headers)
    assert answer.status_code == 403
    log_in(site, token)
    wish = {"verdict": "ok", "reason": "because"}
    path = f"/api/datasets/{fresh_lives.first}/verdicts"
    assert site.post(path, json=wish, headers=headers).status_code == 403
    assert site.post("/logout", headers=headers).status_code == 403
    assert site.post(path, json=wish).status_code == 403, "who sends it must be told"
    assert site.post(path, json=wish, headers=OURS).status_code == 201
    assert site.post(path, json=wish, headers={"sec-fetch-site": "same-origin"}).status_code == 201


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("/runs?state=failed", "/runs?state=failed"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example/", "/"),
        ("evil", "/"),
    ],
)
def test_logging_in_leads_nowhere_else(address, expected) -> None:
    assert inside(address) == expected


def test_a_form_that_is_too_long_is_refused(site) -> None:
    assert log_in(site, "x" * 5000).status_code == 413


def test_a_login_ends_with_its_principal(site, token, catalog_engine) -> None:
    log_in(site, token)
    with Session(catalog_engine) as session, session.begin():
        tokens.set_disabled(session, "li.wei", True)
    assert site.get("/").status_code == 401
