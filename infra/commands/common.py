"""What the commands share: the catalogue behind the settings, and how an answer is shown."""

import getpass
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from infra.settings import load_settings
from infra.state import StateError

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
DatasetId = Annotated[str, typer.Argument(metavar="ID", help="Id or name of a dataset.")]
Limit = Annotated[int, typer.Option(help="How many at most.", min=1, max=1000)]
Reason = Annotated[str, typer.Option(help="Why; it stays in the history.")]


def actor() -> str:
    """Return who types this command, as the history names them."""
    return f"cli:{getpass.getuser()}"


def state_folder(settings_file: Path | None) -> Any:
    """Return the state folder of the platform; it must have been up once."""
    from infra.state import State

    folder = load_settings(settings_file).state
    if not folder.exists():
        raise StateError(f"No platform has been up here ({folder}): start one with `dayseye up`.")
    return State(folder)


@contextmanager
def catalogue(settings_file: Path | None) -> Iterator[Any]:
    """Connect to the platform's catalogue."""
    from sqlalchemy.exc import OperationalError

    from catalog.connection import connect
    from infra.addresses import Addresses

    addresses = Addresses(load_settings(settings_file), state_folder(settings_file))
    engine = connect(addresses.application_dsn, "dayseye-cli")
    try:
        yield engine
    except OperationalError as error:
        raise StateError(
            "The catalogue does not answer; is the platform up (`dayseye up`)? "
            f"{str(error.orig).strip()}"
        ) from None
    finally:
        engine.dispose()


def answer(as_json: bool, found: Any, table: Any) -> None:
    """Print views as JSON, or as the table that a function makes of them."""
    if as_json:
        many = isinstance(found, list)
        print_json([plain(each) for each in found] if many else plain(found))
    else:
        Console().print(table(found))


def plain(view: Any) -> Any:
    """Return a view as plain values."""
    return view.model_dump(mode="json")


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))
