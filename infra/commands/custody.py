"""Care of the data: ``dayseye archive``, ``verify``, ``purge``, ``hold``, ``release`` and so on."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console

from infra.commands.common import DatasetId, Json, Reason, actor, answer, catalogue, plain
from infra.commands.common import print_json as show_json
from infra.settings import ConfigurationError, load_settings

app = typer.Typer()
Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Ids or names.")]
OfBeamline = Annotated[str | None, typer.Option(help="All of this beamline.")]


@app.command()
def archive(
    context: typer.Context,
    datasets: Ids = None,
    beamline: OfBeamline = None,
    before: Annotated[datetime | None, typer.Option(help="Taken before this day (UTC).")] = None,
    as_json: Json = False,
) -> None:
    """Copy datasets to the archive, and hash the copies by reading them back."""
    from catalog.custody import archive as copy
    from catalog.custody import to_archive
    from infra.caretaker.custody import retention
    from infra.commands.custody_tables import archived

    settings = load_settings(context.obj).archive
    place = _place(context.obj)
    with catalogue(context.obj) as engine, Console(stderr=True).status("Copying ...") as shown:
        ids = _chosen(
            engine,
            datasets,
            lambda session: to_archive(session, str(beamline), place.address, _utc(before)),
            beamline is not None,
        )
        done = _each(
            ids,
            lambda each: copy(
                engine,
                each,
                place,
                actor=actor(),
                retention=retention(settings),
                tell=lambda path: shown.update(f"Copying {path}"),
            ),
        )
    _end(as_json, done, archived)


@app.command()
def verify(
    context: typer.Context,
    datasets: Ids = None,
    everything: Annotated[bool, typer.Option("--all", help="All that can be compared.")] = False,
    as_json: Json = False,
) -> None:
    """Hash originals and copies again; whatever rotted is named, and the status is 1."""
    from catalog.custody import verify as compare
    from catalog.custody.verifying import to_verify
    from infra.caretaker.custody import places
    from infra.commands.custody_tables import verified

    open_place = places(load_settings(context.obj).archive)
    with catalogue(context.obj) as engine, Console(stderr=True).status("Hashing ...") as shown:
        ids = _chosen(engine, datasets, to_verify, everything)
        told = _counted(ids, lambda number: shown.update(f"Hashing {number} of {len(ids)} ..."))
        done = _each(told, lambda each: compare(engine, each, open_place, actor=actor()))
    _end(as_json, done, verified)
    if any(view.findings for view in done.views):
        raise typer.Exit(1)


@app.command()
def purge(
    context: typer.Context,
    datasets: Ids = None,
    beamline: OfBeamline = None,
    raw: Annotated[bool, typer.Option("--raw", help="Raw data too, where allowed.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove; without it, only say.")] = False,
    as_json: Json = False,
) -> None:
    """Say what may be removed since a copy stands for it and, with --yes, remove it."""
    from sqlalchemy.orm import Session

    from catalog.custody import purge as remove
    from catalog.custody import purgeable
    from infra.caretaker.custody import places
    from infra.commands.custody_tables import purgeables, purged

    open_place = places(load_settings(context.obj).archive)
    with catalogue(context.obj) as engine:
        with Session(engine) as session:
            named = _ids(session, datasets or ())
            found = purgeable(session, datasets=named, beamline=beamline, raw=raw)
        if not yes:
            answer(as_json, found, purgeables)
            return
        going = [view.dataset_id for view in found if view.allowed]
        done = _each(going, lambda each: remove(engine, each, open_place, actor=actor(), raw=raw))
    done.errors += [f"{view.name}: {view.reason}" for view in found if named and not view.allowed]
    _end(as_json, done, purged)


@app.command()
def hold(context: typer.Context, dataset: DatasetId, reason: Reason) -> None:
    """Keep a dataset from being purged until it is released."""
    from sqlalchemy.orm import Session

    from catalog import custody

    with catalogue(context.obj) as engine, Session(engine) as session, session.begin():
        (id_,) = _ids(session, [dataset])
        custody.hold(session, id_, actor=actor(), reason=reason)
    typer.echo(f"{dataset} is held; `dayseye release {dataset}` ends that.")


@app.command()
def release(context: typer.Context, dataset: DatasetId, reason: Reason = "") -> None:
    """End the holds of a dataset."""
    from sqlalchemy.orm import Session

    from catalog import custody

    with catalogue(context.obj) as engine, Session(engine) as session, session.begin():
        (id_,) = _ids(session, [dataset])
        count = custody.release(session, id_, actor=actor(), reason=reason)
    typer.echo(f"{dataset} is released ({count} hold{'s' if count > 1 else ''}).")


@app.command()
def copies(context: typer.Context, dataset: DatasetId, as_json: Json = False) -> None:
    """Show where copies of a dataset lie, how they are, and who holds it."""
    from sqlalchemy.orm import Session

    from catalog import custody
    from infra.commands.custody_tables import kept

    with catalogue(context.obj) as engine, Session(engine) as session:
        (id_,) = _ids(session, [dataset])
        found = custody.custody(session, id_)
    answer(as_json, found, kept)


# -- what they share ------------------------------------------------------------------------


class _Done:
    """What was done, and what could not be, each with its sentence."""

    def __init__(self) -> None:
        self.views: list[Any] = []
        self.errors: list[str] = []


def _each(ids: Iterable[UUID], do: Callable[[UUID], Any]) -> _Done:
    """Do it for each; one that cannot be done keeps none of the others."""
    from catalog.errors import CatalogError

    done = _Done()
    for each in ids:
        try:
            done.views.append(do(each))
        except CatalogError as error:
            done.errors.append(str(error))
    return done


def _end(as_json: bool, done: _Done, table: Callable[[Any], Any]) -> None:
    """Show what was done; what could not be is told on the other stream, with status 1."""
    if as_json:
        show_json([plain(view) for view in done.views])
    elif done.views or not done.errors:
        Console().print(table(done.views))
    for error in done.errors:
        Console(stderr=True).print(error, style="red", markup=False, highlight=False)
    if done.errors:
        raise typer.Exit(1)


def _chosen(
    engine: Any, named: list[str] | None, others: Callable[[Any], list[UUID]], is_many: bool
) -> list[UUID]:
    from sqlalchemy.orm import Session

    from catalog.errors import CatalogError

    if bool(named) == is_many:
        raise CatalogError("Name datasets, or choose many (--beamline or --all): one of the two.")
    with Session(engine) as session:
        return _ids(session, named) if named else others(session)


def _ids(session: Any, named: Iterable[str]) -> list[UUID]:
    from infra.cli_actions import find

    return [find(session, each) for each in named]


def _counted(ids: list[UUID], tell: Callable[[int], None]) -> Iterator[UUID]:
    for number, each in enumerate(ids, 1):
        tell(number)
        yield each


def _place(settings_file: Path | None) -> Any:
    from catalog.custody import Place

    settings = load_settings(settings_file).archive
    if not settings.place:
        raise ConfigurationError(
            "There is no place for copies: set archive.place in the settings to a folder or an "
            "fsspec address (docs/how-to/archive-verify-purge.md)."
        )
    return Place(settings.place, settings.options)


def _utc(day: datetime | None) -> datetime | None:
    return day.replace(tzinfo=day.tzinfo or UTC) if day else None
