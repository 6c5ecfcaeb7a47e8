"""Why a file became a dataset, or did not: ``dayseye explain``."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from infra.commands.common import Json, catalogue, print_json
from infra.settings import load_settings
from infra.state import StateError

if TYPE_CHECKING:
    from catalog.known_as import KnownAs
    from triggers.explain import Explanation, Found

app = typer.Typer()


@app.command()
def explain(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="A file or folder, there or still to come.")],
    as_json: Json = False,
) -> None:
    """Tell which rule takes a path, or why none does, and where the data stand."""
    from pydantic import TypeAdapter

    from triggers.explain import Explanation

    settings = load_settings(context.obj)
    path = path.absolute()
    try:
        found, known = _with_catalogue(context.obj, settings.beamlines, path)
    except StateError as error:
        from triggers.explain import explain as told

        found, known = told(settings.beamlines, path), []
        Console(stderr=True).print(f"{error} What follows is told without it.", style="yellow")
    if as_json:
        shown = TypeAdapter(Explanation).dump_python(found, mode="json")
        print_json({**shown, "catalogue": [_plain(each) for each in known]})
    else:
        Console(highlight=False, markup=False, soft_wrap=True).print("\n".join(lines(found, known)))


def _with_catalogue(
    settings_file: Path | None, beamlines: Any, path: Path
) -> "tuple[Explanation, list[KnownAs]]":
    from sqlalchemy.orm import Session

    from catalog.inbox import about
    from catalog.known_as import known_as
    from triggers.explain import explain as told

    with catalogue(settings_file) as engine, Session(engine) as session:
        found = told(
            beamlines, path, lambda beamline, file, uid: about(session, beamline, file, uid=uid)
        )
        return found, known_as(session, found.belongs_to or path)


def _plain(known: "KnownAs") -> dict[str, Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(type(known)).dump_python(known, mode="json")


def lines(found: "Explanation", known: "list[KnownAs]") -> Iterator[str]:
    """Write an explanation for people."""
    yield str(found.path)
    if found.beamline:
        yield f"Beamline    {found.beamline}"
    for each in found.rules:
        yield f"Rule        {each.rule}: {'takes it' if each.takes else 'no'}, {each.why}"
    if found.beamline and not found.rule:
        yield "Rule        none takes it: the beamline's own words count"
    if found.belongs_to:
        yield f"Looked at   {found.belongs_to}"
        yield f"Grouping    {found.grouping}; technique {found.technique}"
    if found.quiet_for is not None:
        yield f"Unchanged   for {found.quiet_for:.0f} s, as its time says"
    for note in found.notes:
        yield f"            {note}"
    for each in found.datasets:
        yield from _dataset(each)
    if found.ends_with:
        yield f"No dataset  {found.ends_with}"
    yield from _known(known)


def _dataset(found: "Found") -> Iterator[str]:
    frames = f"{found.frames} of {found.expected_frames or 'unannounced'} frames"
    yield f"Dataset     {found.name} ({found.kind}, {found.format or 'unreadable'}, {frames})"
    yield f"  key       {found.key}"
    yield f"  now       {found.stage}{': ' + found.reason if found.reason else ''}"
    if found.ends_as != found.stage:
        because = f": {found.ends_because}" if found.ends_because else ""
        yield f"  unchanged {found.ends_as}{because}"
    for what, value in found.known.items():
        others = found.told_otherwise.get(what, {})
        differs = "".join(f"; {who} says {told}" for who, told in others.items())
        yield f"  {what:<9} {value} (from {found.known_from[what]}{differs})"
    for what in ("proposal", "sample"):
        if what not in found.known:
            yield f"  {what:<9} not known: a person assigns it"
    if found.serves_as:
        yield f"  serves as {', '.join(found.serves_as)}"
    if found.waits_for:
        yield f"  waits for {', '.join(found.waits_for)}"
    if found.uses:
        yield f"  uses      {', '.join(found.uses)}, if there is one by then"
    if found.report:
        told = ", ".join(f"{key} {value}" for key, value in found.report.items())
        yield f"  reported  {told}"
    if found.problem:
        yield f"  sidecar   {found.problem}"


def _known(known: "list[KnownAs]") -> Iterator[str]:
    if not known:
        yield "Catalogue   knows nothing of it"
    for each in known:
        rule = f", by rule {each.rule}" if each.rule else ""
        gone = ", which has gone from here" if each.gone_at else ""
        why = f" ({each.state_reason})" if each.state_reason else ""
        yield f"Catalogue   {each.name} {each.id}: {each.state}{why}{rule}{gone}"
