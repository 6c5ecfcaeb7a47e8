"""The API's schema as a file: ``python -m catalog.api.openapi docs/reference/openapi.json``."""

from __future__ import annotations

import json
import secrets
import sys
from pathlib import Path

from sqlalchemy import create_engine

from catalog.api.app import create_app


def schema_text() -> str:
    """Return the OpenAPI schema as it is kept in the repository."""
    engine = create_engine("postgresql+psycopg2://")  # never connects: a schema needs no rows
    app = create_app(
        engine, public_url="http://127.0.0.1:8000", prefect_ui_url="", token=secrets.token_hex()
    )
    return json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(schema_text(), encoding="utf-8")
