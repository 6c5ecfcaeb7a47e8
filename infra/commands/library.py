"""Spectral libraries: ``dayseye library``."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.console import Console

from infra.commands.common import Json, Reason, actor, answer, catalogue, print_json
from infra.commands.library_tables import AddResult, added, libraries, one, spectra

if TYPE_CHECKING:
    from infra.library_measure import Wish

app = typer.Typer()
library = typer.Typer(no_args_is_help=True, help="Keep libraries of spectra of known compounds.")
app.add_typer(library, name="library")

Name = Annotated[str, typer.Argument(metavar="LIBRARY", help="Name of a library.")]
Spectrum = Annotated[str, typer.Argument(metavar="SPECTRUM", help="Name or id of a spectrum.")]
Element = Annotated[str | None, typer.Option(help="Of this element, such as Fe.")]
Edge = Annotated[str | None, typer.Option(help="Of this edge, such as K or L3.")]


@library.command()
def create(
    context: typer.Context,
    name: Name,
    description: Annotated[str, typer.Option(help="What it holds, and from where.")] = "",
    licence: Annotated[str, typer.Option(help="Of spectra that say nothing else.")] = "",
    proposal: Annotated[str | None, typer.Option(help="Whose it is alone.")] = None,
    as_json: Json = False,
) -> None:
    """Make a library; everybody sees it, unless it is a proposal's."""
    from catalog import library as kept

    with catalogue(context.obj) as engine, _writing(engine) as session:
        kept.create(
            session,
            name,
            actor=actor(),
            description=description,
            licence=licence,
            proposal=proposal,
        )
        found = [each for each in kept.list_libraries(session) if each.name == name]
    answer(as_json, found, libraries)


@library.command("add")
def add_spectra(
    context: typer.Context,
    name: Name,
    paths: Annotated[list[Path], typer.Argument(help="Files, or folders of them.")],
    compound: Annotated[str | None, typer.Option(help="What it is a spectrum of.")] = None,
    formula: Annotated[str | None, typer.Option(help="Such as Fe2O3.")] = None,
    element: Element = None,
    edge: Edge = None,
    mode: Annotated[str | None, typer.Option(help="transmission or fluorescence.")] = None,
    e0: Annotated[float | None, typer.Option(help="Edge energy, eV.")] = None,
    origin: Annotated[str | None, typer.Option(help="Laboratory, beamline or source.")] = None,
    licence: Annotated[str | None, typer.Option(help="If not that of the library.")] = None,
    as_json: Json = False,
) -> None:
    """Add spectra of any format that is read; what is not given, the files say."""
    from infra.library_measure import Wish

    if mode not in (None, "transmission", "fluorescence"):
        raise typer.BadParameter(f"{mode!r} is no mode; give transmission or fluorescence.")
    wish = Wish(compound, formula, element, edge, mode, e0, origin, licence)
    with catalogue(context.obj) as engine, Console(stderr=True).status("Reading ...") as shown:
        result = add_files(engine, name, paths, wish, shown.update)
    if as_json:
        print_json(result.plain())
    else:
        Console().print(*added(result), sep="\n")
    if not result.done:
        raise typer.Exit(1)


@library.command("list")
def list_kept(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="[LIBRARY]")] = None,
    element: Element = None,
    edge: Edge = None,
    text: Annotated[
        str | None, typer.Option(help="With this in name, compound, formula or origin.")
    ] = None,
    retired: Annotated[bool, typer.Option("--retired", help="Those as well.")] = False,
    as_json: Json = False,
) -> None:
    """List libraries; with a name or something to look for, the spectra."""
    from sqlalchemy.orm import Session

    from catalog import library as kept

    wanted = kept.SpectrumFilter(element=element, edge=edge, text=text, retired=retired)
    with catalogue(context.obj) as engine, Session(engine) as session:
        there = kept.list_libraries(session)
        if name is None and wanted == kept.SpectrumFilter():
            answer(as_json, there, libraries)
            return
        names = [each.name for each in there] if name is None else [name]
        found = [spectrum for each in names for spectrum in _all(session, each, wanted)]
    answer(as_json, found, spectra)


@library.command()
def show(context: typer.Context, name: Name, spectrum: Spectrum, as_json: Json = False) -> None:
    """Show one spectrum; with --json its numbers as well."""
    from sqlalchemy.orm import Session

    from catalog import library as kept

    with catalogue(context.obj) as engine, Session(engine) as session:
        found = kept.spectrum(session, _id_of(session, name, spectrum))
    answer(as_json, found, one)


@library.command()
def retire(
    context: typer.Context, name: Name, spectrum: Spectrum, reason: Reason, as_json: Json = False
) -> None:
    """Let a spectrum no longer count; it stays on record, and results made with it stand."""
    from catalog import library as kept

    with catalogue(context.obj) as engine, _writing(engine) as session:
        spectrum_id = _id_of(session, name, spectrum)
        kept.retire(session, spectrum_id, actor=actor(), reason=reason)
        found = kept.spectrum(session, spectrum_id)
    answer(as_json, found, one)


@library.command()
def export(
    context: typer.Context,
    name: Name,
    folder: Annotated[Path, typer.Argument(help="A new or an empty folder.")],
    element: Element = None,
    edge: Edge = None,
) -> None:
    """Write the spectra that count as XDI files, with a table of them (index.csv)."""
    from sqlalchemy.orm import Session

    from catalog import library as kept
    from infra.library_export import write

    wanted = kept.SpectrumFilter(element=element, edge=edge)
    with catalogue(context.obj) as engine, Session(engine) as session:
        ids = [each.id for each in _all(session, name, wanted)]
        found = (kept.spectrum(session, each) for each in ids)
        count = write(folder, (each for each in found if each is not None))
    typer.echo(f"{count} spectra of {name} are in {folder}.")


def _ensure(engine: Any, name: str) -> bool:
    """Make a library that is not there, and return whether it was not."""
    from catalog import library as kept

    with _writing(engine) as session:
        if any(each.name == name for each in kept.list_libraries(session)):
            return False
        kept.create(session, name, actor=actor())
    return True


def add_files(
    engine: Any, name: str, paths: Iterable[Path], wish: "Wish", tell: Callable[[str], None]
) -> AddResult:
    """Add what is read, each by itself, so that what is refused holds up nothing.

    A library that is not there is made with its first spectrum.
    """
    from catalog import library as kept
    from catalog.errors import CatalogError
    from infra.library_files import Refused, spectra_of

    result = AddResult(name)
    for each in spectra_of(paths, wish):
        tell(f"{len(result.done)} read, {len(result.refused)} refused; {each.file.name}")
        if isinstance(each, Refused):
            result.refused.append((str(each.file), each.sentence))
            continue
        try:
            new = kept.new_spectrum(name=each.name, **each.values)
        except CatalogError as error:
            result.refused.append((str(each.file), str(error)))
            continue
        if not result.done:
            result.is_new = _ensure(engine, name)
        with _writing(engine) as session:
            result.done.append(kept.add(session, kept.find(session, name), new, actor=actor()))
        if each.doubt:
            result.doubts.append((each.name, each.doubt))
    return result


def _all(session: Any, name: str, wanted: Any) -> list[Any]:
    """Return all spectra that fit, by element, edge and compound."""
    from catalog import library as kept

    found: list[Any] = []
    cursor: UUID | None = None
    while True:
        page = kept.list_spectra(session, name, wanted, cursor=cursor, limit=1000)
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            return sorted(
                found, key=lambda each: (each.element, each.edge, each.compound, each.name)
            )


def _id_of(session: Any, name: str, spectrum: str) -> UUID:
    from catalog import library as kept

    try:
        return UUID(spectrum)
    except ValueError:
        return kept.id_of(session, kept.find(session, name), spectrum)


def _writing(engine: Any) -> Any:
    from sqlalchemy.orm import sessionmaker

    return sessionmaker(engine).begin()
