"""Where data come from: ``dayseye history``, ``lineage``, ``crate`` and ``prov``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from infra.commands.common import DatasetId, Json, answer, catalogue
from infra.commands.tables import table

app = typer.Typer()


@app.command()
def history(context: typer.Context, dataset: DatasetId, as_json: Json = False) -> None:
    """Tell what happened to a dataset and its runs, oldest first."""
    from catalog import queries

    with _looking(context) as (session, find):
        found = queries.history(session, find(dataset))
    answer(as_json, found, _events)


@app.command()
def lineage(context: typer.Context, dataset: DatasetId, as_json: Json = False) -> None:
    """Show where a dataset comes from and what was made of it, as a tree."""
    from catalog import queries
    from catalog.errors import NotFound
    from infra.commands.lineage_tree import tree

    with _looking(context) as (session, find):
        found = queries.lineage(session, find(dataset))
    if found is None:
        raise NotFound(f"No dataset {dataset}.")
    answer(as_json, found, tree)


@app.command()
def crate(
    context: typer.Context,
    dataset: DatasetId,
    place: Annotated[Path, typer.Argument(help="A new folder, or a file that ends in .zip.")],
    files: Annotated[
        bool, typer.Option("--files", help="With all files of the result, not pictures alone.")
    ] = False,
) -> None:
    """Write a result as Workflow Run RO-Crate: what was done to what, with what."""
    from catalog.provenance import build_crate, write_crate

    if place.exists():
        raise typer.BadParameter(f"{place} exists already; name a new one.")
    with _looking(context) as (session, find):
        facts = _facts(session, find(dataset), dataset)
        write_crate(build_crate(facts, _public_url(context), with_files=files), place)
    typer.echo(f"Written: {place}")


@app.command()
def prov(
    context: typer.Context,
    dataset: DatasetId,
    place: Annotated[Path | None, typer.Argument(help="A file; empty: the terminal.")] = None,
) -> None:
    """Write how a result came to be as PROV-JSON."""
    from catalog.provenance import prov_json

    with _looking(context) as (session, find):
        text = prov_json(_facts(session, find(dataset), dataset), _public_url(context))
    if place is None:
        typer.echo(text)
    else:
        place.write_text(text)
        typer.echo(f"Written: {place}")


def _looking(context: typer.Context) -> Any:
    from contextlib import contextmanager

    from sqlalchemy.orm import Session

    from infra.cli_actions import find

    @contextmanager
    def look() -> Any:
        with catalogue(context.obj) as engine, Session(engine) as session:
            yield session, lambda named: find(session, named)

    return look()


def _facts(session: Any, dataset_id: Any, named: str) -> Any:
    from catalog.errors import NotFound
    from catalog.provenance import facts_of

    found = facts_of(session, dataset_id)
    if found is None:
        raise NotFound(f"Dataset {named} has no result whose making could be told.")
    return found


def _public_url(context: typer.Context) -> str:
    from infra.addresses import Addresses
    from infra.commands.common import state_folder
    from infra.settings import load_settings

    return Addresses(load_settings(context.obj), state_folder(context.obj)).public_url


def _events(found: Any) -> Any:
    rows = [
        (
            f"{each.at.astimezone():%Y-%m-%d %H:%M:%S}",
            f"run v{each.run_version:03d}" if each.run_version else "",
            f"{each.event} → {each.to_state}"
            if each.to_state and each.to_state != each.event
            else each.event,
            each.actor,
            each.reason or "",
        )
        for each in found
    ]
    return table(("at", "of", "event", "who", "why"), rows)
