"""What calibrations are used for: ``dayseye affected``."""

from typing import Any

import typer

from infra.commands.common import DatasetId, Json, answer, catalogue
from infra.commands.tables import table

app = typer.Typer()


@app.command()
def affected(context: typer.Context, dataset: DatasetId, as_json: Json = False) -> None:
    """List the results that a calibration touches, and what would be chosen now."""
    from sqlalchemy.orm import Session

    from catalog.affected import affected as touched
    from catalog.errors import CatalogError
    from infra.cli_actions import find

    with catalogue(context.obj) as engine, Session(engine) as session:
        found = touched(session, find(session, dataset))
    if found.kind != "calibration" and not found.kinds:
        raise CatalogError(f"{found.name} is {found.kind}: only calibrations touch others.")
    answer(as_json, found, _table)


def _table(found: Any) -> Any:
    rows = [
        (
            str(each.result_id or each.dataset_id),
            each.name,
            _version(each),
            each.role,
            _names(each.uses),
            _names(each.would_use) if each.changes else "the same",
        )
        for each in (*found.touched, *found.would_touch)
    ]
    return table(("id", "name", "result", "role", "made with", "now it would be"), rows)


def _version(each: Any) -> str:
    if each.version is None:
        return "none yet"
    return f"v{each.version}{', current' if each.is_current else ''}"


def _names(used: Any) -> str:
    return ", ".join(_name(each) for each in used) or "none"


def _name(used: Any) -> str:
    return used.name if used.version is None else f"{used.name} (v{used.version})"
