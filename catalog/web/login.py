"""Logging in with a token, and out again; a browser keeps the login, never the token."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy.orm import Session

from catalog.access import Viewer
from catalog.access.tokens import LOGIN, create_token, revoke_secret
from catalog.api.problems import ProblemError
from catalog.api.security import COOKIE, INSTALLATION, by_token, demand_same_origin
from catalog.api.service import Service, ServiceDep
from catalog.states import Role
from catalog.web.templating import page

router = APIRouter()
LASTS = timedelta(hours=12)
LONGEST_FORM = 4000
OWN_NAME = "installation"  # who logs in with the installation's own token


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form that one of our own pages sends.

    Raises
    ------
    ProblemError
        It comes from elsewhere, or is too long.
    """
    demand_same_origin(request)
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LONGEST_FORM:
            raise ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "This form is too long")
    fields = parse_qs(body.decode(errors="replace"))
    return {name: values[0] for name, values in fields.items()}


FormDep = Annotated[dict[str, str], Depends(read_form)]


@router.get("/login")
def login_page(request: Request, to: str = "/") -> HTMLResponse:
    """Ask for a token."""
    return page(request, "login.html", to=inside(to), refused="")


@router.post("/login")
def login(request: Request, service: ServiceDep, form: FormDep) -> Response:
    """Give the browser a login of its own, which ends by itself."""
    to = inside(form.get("to", "/"))
    known = by_token(service, form.get("token", "").strip())
    if known is None:
        refused = "This token is not known here, has expired or was revoked."
        return page(request, "login.html", code=HTTPStatus.UNAUTHORIZED, to=to, refused=refused)
    answer = RedirectResponse(to, HTTPStatus.SEE_OTHER)
    answer.set_cookie(
        COOKIE,
        _secret(service, known),
        max_age=int(LASTS.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=service.public_url.startswith("https:"),
    )
    return answer


@router.post("/logout")
def logout(request: Request, service: ServiceDep, form: FormDep) -> Response:
    """End the login here and in the catalogue, so that a stolen copy of it ends too."""
    if COOKIE in request.cookies:
        with Session(service.engine) as session, session.begin():
            revoke_secret(session, request.cookies[COOKIE])
    answer = RedirectResponse("/", HTTPStatus.SEE_OTHER)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return answer


def inside(address: str) -> str:
    """Return an address of this site; anything else leads to the first page."""
    parts = urlsplit(address)
    plain = address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if plain and not parts.scheme and not parts.netloc else "/"


def _secret(service: Service, known: Viewer) -> str:
    is_own = known.name == INSTALLATION.name and known.speaks_for_others
    name, role = (OWN_NAME, Role.STAFF) if is_own else (known.name, None)
    with Session(service.engine) as session, session.begin():
        days = LASTS / timedelta(days=1)
        return create_token(session, name, role=role, days=days, label=LOGIN).token
