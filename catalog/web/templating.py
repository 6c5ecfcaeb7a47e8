"""Pages from templates: escaped always, undefined names are errors."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from catalog.web.words import FILTERS

_environment = Environment(
    loader=PackageLoader("catalog.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters.update(FILTERS)  # pyright: ignore[reportUnknownMemberType]

# the state changes by itself: the browser may go back to a page, but must ask again
_HEADERS = {"Cache-Control": "no-cache"}


def page(
    request: Request,
    template: str,
    *,
    code: HTTPStatus = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
    **values: Any,
) -> HTMLResponse:
    """Render a template as a response."""
    html = _environment.get_template(template).render(
        path=request.url.path,
        service=request.app.state.service,
        viewer=getattr(request.state, "viewer", None),
        **values,
    )
    return HTMLResponse(html, code, headers=_HEADERS | dict(headers or {}))


def error_page(
    request: Request, status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None
) -> HTMLResponse:
    """Render the page that says what went wrong."""
    return page(
        request, "error.html", code=status, headers=headers, title=status.phrase, detail=detail
    )
