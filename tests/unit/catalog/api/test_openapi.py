"""The schema in the repository is the schema that is served."""

import json
from pathlib import Path

from catalog.api.openapi import schema_text

KEPT = Path(__file__).parents[4] / "docs" / "reference" / "openapi.json"


def test_the_kept_schema_is_current() -> None:
    assert KEPT.read_text(encoding="utf-8") == schema_text(), (
        "make it anew: python -m catalog.api > docs/reference/openapi.json"
    )


def test_it_is_the_one_that_is_served(client) -> None:
    assert client.get("/api/openapi.json").json() == json.loads(schema_text())


def test_every_operation_says_what_it_does_and_what_may_go_wrong() -> None:
    for path, operations in json.loads(schema_text())["paths"].items():
        for method, operation in operations.items():
            assert operation["description"], f"{method} {path}"
            for status, response in operation["responses"].items():
                if status >= "400":
                    assert list(response["content"]) == ["application/problem+json"], path


def test_examples_are_valid() -> None:
    from pydantic import TypeAdapter

    from catalog.api.runs import RunRequest

    schema = json.loads(schema_text())["components"]["schemas"]["RunRequest"]
    for example in schema["examples"]:
        TypeAdapter(RunRequest).validate_python(example)
