"""The API's schema: every error in it is a problem."""

from __future__ import annotations

import json
import secrets
from typing import Any

from fastapi import FastAPI
from sqlalchemy import create_engine

from catalog.api.problems import MEDIA_TYPE, Problem


def install(app: FastAPI) -> None:
    """Let the schema say that every error is a problem; FastAPI assumes errors of its own form."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _with_problems(generate())
        return app.openapi_schema

    app.openapi = openapi  # the way that FastAPI documents for extending a schema


def _with_problems(schema: dict[str, Any]) -> dict[str, Any]:
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    components: dict[str, Any] = schema["components"]["schemas"]
    components |= problem.pop("$defs") | {"Problem": problem}
    for unused in ("HTTPValidationError", "ValidationError"):
        components.pop(unused, None)
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for operations in schema["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if status >= "400":
                    response["content"] = content
                if status == "422":  # Python 3.13 renamed it; one schema serves all versions
                    response["description"] = "Unprocessable Content"
    return schema


def schema_text() -> str:
    """Return the schema as it is kept in the repository."""
    from catalog.api.app import create_app  # the application installs what stands above

    engine = create_engine("postgresql+psycopg2://")  # never connects: a schema needs no rows
    app = create_app(
        engine, public_url="http://127.0.0.1:8000", prefect_ui_url="", token=secrets.token_hex()
    )
    return json.dumps(app.openapi(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"
