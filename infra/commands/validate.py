"""The science on data of one's own: ``dayseye validate``."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from flows.mx.found import Result
    from flows.mx.recipe import Cell
    from infra.local_reduction import LocalReduction
    from tasks.mx.merge import Merged

app = typer.Typer()
validate_app = typer.Typer(help="Reduce data of your own without a platform, and compare.")
app.add_typer(validate_app, name="validate")


@validate_app.callback()
def validate() -> None:
    """Reduce data of your own without a platform, and compare."""


@validate_app.command()
def mx(
    path: Annotated[Path, typer.Argument(help="A master file, or a folder of images.")],
    folder: Annotated[Path, typer.Option(help="Where the results go; it must not exist.")],
    reference: Annotated[
        Path | None, typer.Option(help="Merged data of another program: MTZ or mmCIF.")
    ] = None,
    entry: Annotated[
        str, typer.Option(help="Which sweep of a folder, such as 'a_1_#####.cbf'.")
    ] = "",
    cell: Annotated[
        str,
        typer.Option(help="If it is known: a, b, c, alpha, beta, gamma, as '79 79 38 90 90 90'."),
    ] = "",
    space_group: Annotated[str, typer.Option(help="If it is known.")] = "",
    small_molecule: Annotated[bool, typer.Option(help="Small cells are no salt.")] = False,
    workers: Annotated[int, typer.Option(help="Processes.")] = 2,
) -> None:
    """Reduce a diffraction sweep, print table 1, and compare it with what another program made."""
    from flows.mx.recipe import Recipe
    from flows.mx.without_platform import reduce_sweep
    from infra.local_reduction import local_reduction
    from tasks.errors import DataError
    from tasks.io.scan import ScanReference

    console = Console(highlight=False, markup=False, soft_wrap=True)
    began = time.perf_counter()
    try:
        _check(folder, reference)
        recipe = Recipe(cell=_cell(cell), space_group=space_group, small_molecule=small_molecule)
        data = ScanReference(str(path.absolute()), _entry(path.absolute(), entry))
        with local_reduction(data, path.stem, folder.absolute(), workers) as run:
            result = reduce_sweep(run, recipe)
        _tell(console, run, result, time.perf_counter() - began)
        if reference is not None and result.reduced is not None:
            _compare(console, result.reduced.merged, reference)
    except DataError as error:
        console.print(str(error), style="red")
        raise typer.Exit(1) from error
    raise typer.Exit(0 if result.reduced is not None else 1)


def _cell(given: str) -> "Cell | None":
    """Read six numbers."""
    from flows.mx.recipe import Cell
    from tasks.errors import DataError

    if not given:
        return None
    try:
        values = dict(
            zip(Cell.model_fields, map(float, given.replace(",", " ").split()), strict=True)
        )
        return Cell(**values)
    except ValueError as error:
        raise DataError(f"{given!r} is no cell: give six numbers, '79 79 38 90 90 90'.") from error


def _entry(path: Path, given: str) -> str:
    """Return the sweep that is meant; of several, one has to be named."""
    from tasks.errors import DataError
    from tasks.io.probe import probe

    names = [each.inner_path for each in probe(path, technique="mx")]
    if given or len(names) < 2:
        return given
    raise DataError(f"{path.name} holds {len(names)} sweeps; name one: --entry '{names[0]}'.")


def _check(folder: Path, reference: Path | None) -> None:
    """Say what would fail only after the reduction, before it."""
    from flows.mx.reference import read_reference
    from tasks.errors import DataError

    if folder.exists():
        raise DataError(f"{folder} is there already: name a folder for the results that is not.")
    if reference is not None:
        read_reference(reference)


def _tell(console: Console, run: "LocalReduction", result: "Result", seconds: float) -> None:
    """Print the verdict, table 1, and where the time went."""
    from flows.mx.verdict import judgement

    judged, images = judgement(result), result.opened.images
    console.print(f"{result.opened.title}: {len(images)} images")
    console.print(f"{judged.verdict}: " + "\n".join(judged.sentences))
    if result.reduced is not None:
        console.print()
        console.print(result.reduced.table.text())
    table = Table("stage", "s")
    for name, passed in run.seconds.items():
        table.add_row(name, f"{passed:.1f}")
    table.add_row("all", f"{seconds:.1f}")
    console.print(table)
    console.print(f"Files and pictures: {run.folder}")


def _compare(console: Console, merged: "Merged", reference: Path) -> None:
    """Print how the intensities agree with those of another program, by resolution."""
    from flows.mx.comparison import compare

    found = compare(merged, reference)
    table = Table("d (Å)", "common", "CC", "CC of log I", title=f"Beside {reference.name}")
    shells = found.shells if len(found.shells) > 1 else ()
    for shell in (found.overall, *shells):
        limits = f"{shell.d_max:.2f}-{shell.d_min:.2f}"
        table.add_row(limits, str(shell.common), f"{shell.cc:.4f}", f"{shell.cc_log:.4f}")
    console.print(table)
