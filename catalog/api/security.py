"""Who may ask and how: host names, headers, the token that a change needs."""

from __future__ import annotations

import hmac
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from catalog.api.problems import ProblemError, problem_response
from catalog.api.service import ServiceDep

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

_bearer = HTTPBearer(auto_error=False, description="The token of this installation.")


def require_token(
    service: ServiceDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> None:
    """Let a request through that carries the installation's token.

    Raises
    ------
    ProblemError
        401 when the token is missing or wrong.
    """
    given = credentials.credentials if credentials else ""
    if not hmac.compare_digest(given.encode(), service.token.encode()):
        raise ProblemError(
            HTTPStatus.UNAUTHORIZED,
            "A change needs the header `Authorization: Bearer TOKEN` with the token of this "
            "installation",
            headers={"WWW-Authenticate": "Bearer"},
        )


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
