"""Errors as RFC 9457 problem details: what happened, where, what to do; never a traceback."""

from __future__ import annotations

import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from catalog.errors import CatalogError, Forbidden, InvalidParameters, NotFound

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

E = TypeVar("E", bound=Exception)


class InvalidField(BaseModel):
    """One part of a request that was refused."""

    where: str = Field(examples=["query.limit"])
    message: str = Field(examples=["Input should be less than or equal to 200"])


class Problem(BaseModel):
    """An error as RFC 9457 describes it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "title": "Not Found",
                    "status": 404,
                    "detail": "No dataset 0f8fad5b-d9cb-469f-a165-70867728950e in the catalogue",
                    "instance": "/api/datasets/0f8fad5b-d9cb-469f-a165-70867728950e",
                }
            ]
        }
    )

    type: str = Field(default="about:blank", description="about:blank: the title says it all")
    title: str = Field(description="the phrase of the HTTP status")
    status: int
    detail: str = Field(description="what happened here, and what to do")
    instance: str = Field(description="the path that was asked for")
    errors: list[InvalidField] | None = Field(
        default=None, description="the parts that were refused"
    )


class ProblemError(Exception):
    """Raised by a handler to answer with a problem."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        errors: list[InvalidField] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors
        self.headers = headers


def not_found(kind: str, key: object) -> ProblemError:
    """Return the error for a row that the catalogue does not have."""
    return ProblemError(HTTPStatus.NOT_FOUND, f"No {kind} {key} in the catalogue")


def responses(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI description of the problems that an endpoint may answer with."""
    return {int(status): {"description": status.phrase} for status in statuses}


def problem_response(path: str, error: ProblemError) -> Response:
    """Return the response for one problem."""
    problem = Problem(
        title=error.status.phrase,
        status=error.status,
        detail=error.detail,
        instance=path,
        errors=error.errors,
    )
    return JSONResponse(
        problem.model_dump(exclude_none=True),
        error.status,
        headers=error.headers,
        media_type=MEDIA_TYPE,
    )


def wants_page(request: Request) -> bool:
    """Tell whether a person's browser asks, who should see a page rather than JSON."""
    is_machine_path = request.url.path.startswith(("/api/", "/metrics"))
    return not is_machine_path and "text/html" in request.headers.get("accept", "")


def _as_it_is(request: Request, error: ProblemError) -> ProblemError:
    return error


def _http_exception(request: Request, error: HTTPException) -> ProblemError:
    status = HTTPStatus(error.status_code)
    detail = error.detail
    if status == HTTPStatus.NOT_FOUND and detail == status.phrase:
        detail = f"Nothing is served at {request.url.path}"
    return ProblemError(status, detail, headers=dict(error.headers or {}))


def _invalid_request(request: Request, error: RequestValidationError) -> ProblemError:
    errors = [
        InvalidField(where=".".join(map(str, item["loc"])), message=item["msg"])
        for item in error.errors()
    ]
    detail = "The request was refused: " + "; ".join(f"{e.where}: {e.message}" for e in errors)
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=errors)


def _refused(request: Request, error: CatalogError) -> ProblemError:
    """Pass on the catalogue's own sentence, which is written for the user."""
    match error:
        case NotFound():
            return ProblemError(HTTPStatus.NOT_FOUND, str(error))
        case Forbidden():
            return ProblemError(HTTPStatus.FORBIDDEN, str(error))
        case InvalidParameters():
            errors = [InvalidField(where="body.recipe", message=str(error))]
            return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), errors=errors)
        case _:
            return ProblemError(HTTPStatus.CONFLICT, str(error))


def _database_down(request: Request, error: SQLAlchemyError) -> ProblemError:
    logger.error("the catalogue's database did not answer: %s", error)
    return ProblemError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The catalogue's database does not answer; try again soon. `dayseye doctor` says more.",
        headers={"Retry-After": "5"},
    )


def _unforeseen(request: Request, error: Exception) -> ProblemError:
    logger.error("unforeseen error at %s", request.url.path, exc_info=error)
    return ProblemError(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "Something went wrong here that nobody foresaw; the log of the API has the details.",
    )


def _register(app: FastAPI, kind: type[E], explain: Callable[[Request, E], ProblemError]) -> None:
    def answer(request: Request, error: Exception) -> Response:
        problem = explain(request, cast("E", error))
        if wants_page(request):
            from catalog.web.templating import error_page  # web stands on api, not the other way

            return error_page(request, problem.status, problem.detail, problem.headers)
        return problem_response(request.url.path, problem)

    app.add_exception_handler(kind, answer)


def install(app: FastAPI) -> None:
    """Make every error of the application a problem."""
    _register(app, ProblemError, _as_it_is)
    _register(app, HTTPException, _http_exception)
    _register(app, RequestValidationError, _invalid_request)
    _register(app, CatalogError, _refused)
    _register(app, OperationalError, _database_down)
    _register(app, PoolTimeout, _database_down)
    _register(app, Exception, _unforeseen)
