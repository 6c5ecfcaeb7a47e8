"""The command ``dayseye``."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from infra.commands import (
    access,
    calibrations,
    custody,
    explain,
    library,
    notifications,
    pause,
    people,
    provenance,
    quarantine,
    reprocess,
    validate,
    verdict,
    visibility,
)
from infra.commands.common import (
    DatasetId,
    Json,
    Limit,
    answer,
    catalogue,
    print_json,
    state_folder,
)
from infra.settings import ConfigurationError, load_settings
from infra.state import StateError

app = typer.Typer(
    help="Hands-off data reduction at a light source.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
PARTS: tuple[typer.Typer, ...] = (
    access.app,
    calibrations.app,
    custody.app,
    explain.app,
    library.app,
    notifications.app,
    pause.app,
    people.app,
    provenance.app,
    quarantine.app,
    reprocess.app,
    validate.app,
    verdict.app,
    visibility.app,
)
for part in PARTS:
    app.add_typer(part)


@app.callback()
def options(
    context: typer.Context,
    settings: Annotated[
        Path | None, typer.Option(help="The settings file (default: dayseye.toml).")
    ] = None,
) -> None:
    """Hands-off data reduction at a light source."""
    context.obj = settings


@app.command()
def up(context: typer.Context) -> None:
    """Start the platform and keep it up until Ctrl-C."""
    from infra.addresses import Addresses
    from infra.up import up as keep_up

    def announce(addresses: Addresses, seconds: float) -> None:
        state = addresses.state
        console = Console()
        console.print(f"The platform is up after {seconds:.0f} s; Ctrl-C stops it.")
        console.print(f"Catalogue and API  {addresses.public_url}")
        console.print(f"Prefect UI         {addresses.prefect_ui_url}")
        console.print(f"  its login        in {state.folder / 'secrets' / 'prefect'}")
        console.print(f"Logs               {state.logs}")

    keep_up(context.obj, announce)


@app.command()
def demo(
    exit_when_done: Annotated[
        bool, typer.Option("--exit", help="End when all scans are reduced.")
    ] = False,
) -> None:
    """Watch a simulated beamline's scans reduce themselves."""
    from infra.demo import run_demo

    raise typer.Exit(run_demo(exit_when_done=exit_when_done))


@app.command()
def ingest(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="A file or a folder.")],
    beamline: Annotated[str, typer.Option(help="Whose rules count.")],
    wait: Annotated[bool, typer.Option(help="Wait until everything is reduced.")] = False,
    as_json: Json = False,
) -> None:
    """Hand over data by path, from wherever they lie."""
    from infra import cli_actions, cli_tables

    with catalogue(context.obj) as engine:
        rules = cli_actions.beamline(load_settings(context.obj), beamline)
        with Console(stderr=True).status(f"Looking at {path} ...") as shown:
            recorded = cli_actions.ingest(engine, path, rules)
            datasets = [each.dataset_id for each in recorded]
            if wait:
                cli_actions.wait_until_settled(engine, datasets, shown.update)
        views = cli_actions.datasets_by_id(engine, datasets)
        answer(as_json, views, cli_tables.datasets)
    if wait and not all(view.result for view in views if view.kind == "raw" or view.run):
        raise typer.Exit(1)


@app.command()
def datasets(
    context: typer.Context,
    beamline: Annotated[str | None, typer.Option(help="Of this beamline.")] = None,
    proposal: Annotated[str | None, typer.Option(help="Of this proposal.")] = None,
    state: Annotated[str | None, typer.Option(help="In this state.")] = None,
    text: Annotated[str | None, typer.Option(help="With this in name, sample or title.")] = None,
    series: Annotated[str | None, typer.Option(help="Scans of this series (id or name).")] = None,
    limit: Limit = 30,
    as_json: Json = False,
) -> None:
    """List datasets, newest first."""
    from infra import cli_actions, cli_tables

    with catalogue(context.obj) as engine:
        page = cli_actions.list_datasets(
            engine,
            limit,
            beamline=beamline,
            proposal=proposal,
            state=state,
            text=text,
            parent=cli_actions.detail(engine, series).id if series else None,
        )
    answer(as_json, page, cli_tables.datasets)


@app.command()
def show(context: typer.Context, dataset: DatasetId, as_json: Json = False) -> None:
    """Show one dataset: its files, history, runs and results."""
    from infra import cli_actions, cli_tables

    with catalogue(context.obj) as engine:
        detail = cli_actions.detail(engine, dataset)
    answer(as_json, detail, cli_tables.detail)


@app.command()
def runs(
    context: typer.Context,
    state: Annotated[str | None, typer.Option(help="In this state.")] = None,
    limit: Limit = 30,
    as_json: Json = False,
) -> None:
    """List runs, newest first."""
    from infra import cli_actions, cli_tables

    with catalogue(context.obj) as engine:
        page = cli_actions.list_runs(engine, limit, state=state)
    answer(as_json, page, cli_tables.runs)


@app.command()
def reduce(
    context: typer.Context,
    dataset: DatasetId,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="A parameter of the recipe, as key=value.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; it stays in the history.")] = "",
    as_json: Json = False,
) -> None:
    """Reduce a dataset again, as a new version."""
    from infra import cli_actions, cli_tables

    with catalogue(context.obj) as engine:
        run = cli_actions.request_run(engine, dataset, overrides or [], reason)
    answer(as_json, [run], cli_tables.runs)


@app.command()
def status(context: typer.Context, as_json: Json = False) -> None:
    """Say how the platform stands: services, what waits, runs, failed, room."""
    from infra import cli_actions, cli_tables

    with catalogue(context.obj) as engine:
        found = cli_actions.status(engine)
    services = cli_actions.services(state_folder(context.obj))
    if as_json:
        print_json({"services": services, **found.model_dump(mode="json")})
    else:
        Console().print(*cli_tables.status(found, services), sep="\n")


@app.command()
def doctor(context: typer.Context, as_json: Json = False) -> None:
    """Look at the installation: what is there, what is missing and how to mend it."""
    from infra import cli_tables
    from infra.doctor import examine

    findings = examine(context.obj)
    answer(as_json, findings, cli_tables.findings)
    if any(finding.level == "bad" for finding in findings):
        raise typer.Exit(1)


def main() -> None:
    """Run the command; what it cannot do is one sentence, and a status that is not 0."""
    from catalog.errors import CatalogError
    from infra.postgres_installation import PostgresError
    from infra.supervisor import StartError
    from tasks.errors import DataError

    try:
        app()
    except (
        ConfigurationError,
        StateError,
        StartError,
        PostgresError,
        CatalogError,
        DataError,
    ) as error:
        Console(stderr=True).print(str(error), style="red", markup=False, highlight=False)
        sys.exit(1)


if __name__ == "__main__":
    main()
