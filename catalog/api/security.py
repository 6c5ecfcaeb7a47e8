"""Who asks, and how they may: tokens and logins, host names, headers."""

from __future__ import annotations

import hmac
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.orm import Session
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from catalog.access import Viewer, anonymous, demand_write, known_by
from catalog.api.problems import ProblemError, problem_response
from catalog.api.service import Service, ServiceDep
from catalog.states import Role

COOKIE = "dayseye_session"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
HOW = "Send it as the header `Authorization: Bearer TOKEN`, or log in with it at /login"
# the token that `dayseye up` makes: the programs of the installation, which name who asked
INSTALLATION = Viewer("api", Role.STAFF, sees_all=True, speaks_for_others=True)
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

HEADERS = {
    # everything comes from here, nothing is inline, nobody may frame us
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

_bearer = HTTPBearer(auto_error=False, description="A token of `dayseye token create`.")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


def get_viewer(request: Request, service: ServiceDep, credentials: Credentials) -> Viewer:
    """Return who asks, by the header's token or the browser's login; else the anonymous viewer.

    Raises
    ------
    ProblemError
        401 when a token is given that does not hold: nobody shall believe that it did.
    """
    known = _by_header(service, credentials) or _by_login(request, service)
    nobody = anonymous(service.anonymous)
    # what everybody sees is not hidden from who says their name
    viewer = replace(known, sees_all=known.sees_all or nobody.sees_all) if known else nobody
    request.state.viewer = viewer
    return viewer


def _by_header(service: Service, credentials: HTTPAuthorizationCredentials | None) -> Viewer | None:
    if credentials is None:
        return None
    known = by_token(service, credentials.credentials)
    if known is None:
        raise unauthorized(
            "The token in the header Authorization is not known, has expired or was revoked"
        )
    return known


def _by_login(request: Request, service: Service) -> Viewer | None:
    """Return who has logged in with this browser; a login that is over is none."""
    if COOKIE not in request.cookies:
        return None
    with Session(service.engine) as session:
        known = known_by(session, request.cookies[COOKIE])
    if known is not None and request.method not in SAFE_METHODS:
        demand_same_origin(request)
    return known


def by_token(service: Service, given: str) -> Viewer | None:
    """Return whose token this is, the installation's or a principal's; None if it is nobody's."""
    if hmac.compare_digest(given.encode(), service.token.encode()):
        return INSTALLATION
    with Session(service.engine) as session:
        return known_by(session, given)


def demand_same_origin(request: Request) -> None:
    """Let pass what one of our own pages sends: a browser adds its login to others' forms, too.

    Raises
    ------
    ProblemError
        403 when the browser says that another site sends this, or does not say who does.
    """
    origin = request.headers.get("origin", "")
    ours = urlsplit(origin).netloc == request.headers.get("host", "")
    if request.headers.get("sec-fetch-site") == "same-origin" or (origin and ours):
        return
    raise ProblemError(
        HTTPStatus.FORBIDDEN,
        "The browser does not say that this comes from a page of this service; "
        "open the page here and send it again",
    )


def unauthorized(detail: str) -> ProblemError:
    """Return the error for a request that does not say who asks."""
    return ProblemError(HTTPStatus.UNAUTHORIZED, detail, headers={"WWW-Authenticate": "Bearer"})


def require_reader(viewer: Annotated[Viewer, Depends(get_viewer)]) -> Viewer:
    """Let pass who may see anything at all; what exactly, the queries decide.

    Raises
    ------
    ProblemError
        401 when nothing is shown without a token here.
    """
    if viewer.role is None and not (viewer.sees_all or viewer.sees_public):
        raise unauthorized(f"Nothing is shown here without a token. {HOW}")
    return viewer


def require_principal(viewer: Annotated[Viewer, Depends(get_viewer)]) -> Viewer:
    """Let pass who says who they are.

    Raises
    ------
    ProblemError
        401 otherwise.
    """
    if viewer.role is None:
        raise unauthorized(f"This needs a token. {HOW}")
    return viewer


def require_operator(viewer: Annotated[Viewer, Depends(get_viewer)]) -> Viewer:
    """Let pass who may see how the whole facility stands.

    Raises
    ------
    ProblemError
        401 without a token, 403 with one of a user.
    """
    if viewer.sees_all or viewer.may_report:
        return viewer
    require_principal(viewer)
    raise ProblemError(HTTPStatus.FORBIDDEN, "This is shown to the staff alone")


def require_staff(viewer: Annotated[Viewer, Depends(require_principal)]) -> Viewer:
    """Let pass the staff.

    Raises
    ------
    ProblemError
        401 without a token, 403 with one of somebody else.
    """
    if not viewer.is_staff:
        raise ProblemError(HTTPStatus.FORBIDDEN, f"{viewer.name} is not staff, who alone may this")
    return viewer


def require_reporter(viewer: Annotated[Viewer, Depends(require_principal)]) -> Viewer:
    """Let pass who may report arrivals: staff, and programs with the role ``service``.

    Raises
    ------
    ProblemError
        401 without a token, 403 with one of a user.
    """
    if not viewer.may_report:
        raise ProblemError(
            HTTPStatus.FORBIDDEN,
            "Arrivals are reported by staff and by programs (`dayseye token create NAME --role "
            "service`)",
        )
    return viewer


def require_write(
    dataset_id: UUID, service: ServiceDep, viewer: Annotated[Viewer, Depends(require_principal)]
) -> Viewer:
    """Let pass who may change the dataset that the path names as ``dataset_id``.

    Raises
    ------
    NotFound
        There is no such dataset for them.
    Forbidden
        They may only see it.
    """
    with Session(service.engine) as session:
        demand_write(session, viewer, dataset_id)
    return viewer


ReaderDep = Annotated[Viewer, Depends(require_reader)]
"""Who reads: open every query with ``service.snapshot(viewer)``."""
PrincipalDep = Annotated[Viewer, Depends(require_principal)]
OperatorDep = Annotated[Viewer, Depends(require_operator)]
StaffDep = Annotated[Viewer, Depends(require_staff)]
ReporterDep = Annotated[Viewer, Depends(require_reporter)]
WriterDep = Annotated[Viewer, Depends(require_write)]
"""Who changes the path's ``dataset_id``; ``viewer.actor()`` is for the history."""


def host_name(host_header: str) -> str:
    """Return the name in a Host header, without port and brackets."""
    return urlsplit(f"//{host_header}").hostname or ""


class Guard:
    """Refuse foreign host names and put the security headers on every response.

    A page elsewhere that makes its own name point to 127.0.0.1 (DNS rebinding) would otherwise be
    answered as if it were ours.
    """

    def __init__(self, app: ASGIApp, public_url: str) -> None:
        self.app = app
        self.hosts = LOOPBACK | {urlsplit(public_url).hostname or "localhost"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        host = Headers(scope=scope).get("host", "")
        if self._is_ours(host):
            await self.app(scope, receive, send_with_headers)
            return
        error = ProblemError(
            HTTPStatus.MISDIRECTED_REQUEST,
            f"This service does not answer for the host name {host!r}; "
            "set public_url to the address under which people reach it",
        )
        refusal = problem_response(scope["path"], error)
        await refusal(scope, receive, send_with_headers)

    def _is_ours(self, host_header: str) -> bool:
        try:
            return host_name(host_header) in self.hosts
        except ValueError:
            return False
