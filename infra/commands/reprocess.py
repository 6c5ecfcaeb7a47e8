"""Reducing again: ``dayseye reprocess`` for many datasets, ``dayseye retry`` for a failed run."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.console import Console

from infra.commands.common import Json, Reason, actor, catalogue, print_json
from infra.settings import load_settings

if TYPE_CHECKING:
    from catalog.reprocess import Asked, Estimate

app = typer.Typer()
GB = 1e9


@app.command()
def reprocess(
    context: typer.Context,
    beamline: Annotated[str, typer.Option(help="Of this beamline.")],
    reason: Reason,
    since: Annotated[
        datetime | None, typer.Option(help="Taken at this time (UTC) or later.")
    ] = None,
    until: Annotated[datetime | None, typer.Option(help="Taken before this time (UTC).")] = None,
    technique: Annotated[str | None, typer.Option(help="Of this technique.")] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="A parameter of the recipe, as key=value.")
    ] = None,
    request: Annotated[
        str, typer.Option(help="Name of the request; asking twice with one is asking once.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what it comes to.")] = False,
    as_json: Json = False,
) -> None:
    """Reduce many datasets again, behind what lands now."""
    from sqlalchemy.orm import Session

    from catalog import reprocess as asking
    from infra.cli_actions import parameters

    wish = asking.Wish(
        beamline=beamline,
        reason=reason,
        since=_utc(since),
        until=_utc(until),
        technique=technique,
        overrides=parameters(overrides or []),
        request=request,
    )
    at_once = load_settings(context.obj).runs.reprocess_limit
    with catalogue(context.obj) as engine:
        with Session(engine) as session:
            estimate = asking.estimate(session, wish)
        if dry_run:
            _show_estimate(estimate, at_once, as_json)
            return
        with Console(stderr=True).status("Asking ...") as shown:
            told = lambda done, all_: shown.update(f"{done} of {all_} asked for")  # noqa: E731
            asked = asking.reprocess(engine, wish, actor(), told)
    _show_asked(asked, estimate, at_once, as_json)


@app.command()
def retry(
    context: typer.Context,
    named: Annotated[
        str, typer.Argument(metavar="ID", help="Id of a run, or id or name of a dataset.")
    ],
    reason: Annotated[str, typer.Option(help="Why; it stays in the history.")] = "",
    as_json: Json = False,
) -> None:
    """Try a run that failed once more; of a dataset, the newest one that failed."""
    from sqlalchemy.orm import Session

    from catalog import queries, recovery
    from infra import cli_tables
    from infra.commands.common import answer

    with catalogue(context.obj) as engine:
        with Session(engine) as session, session.begin():
            run = recovery.retry(session, _failed_run(session, named), actor(), reason)
            run_id = run.id
        with Session(engine) as session:
            found = queries.run_detail(session, run_id)
    answer(as_json, [found], cli_tables.runs)


def _failed_run(session: Any, named: str) -> UUID:
    """Return the run that is meant."""
    from catalog.models import Run
    from catalog.recovery import newest_failed
    from infra.cli_actions import find

    try:
        meant = UUID(named)
    except ValueError:
        meant = None
    if meant is not None and session.get(Run, meant) is not None:
        return meant
    return newest_failed(session, find(session, named))


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None


def _show_estimate(estimate: "Estimate", at_once: int, as_json: bool) -> None:
    if as_json:
        print_json({**vars(estimate), "at_once": at_once})
        return
    console = Console()
    console.print(f"{estimate.datasets} datasets of {estimate.beamline} would be reduced again.")
    if estimate.already:
        console.print(f"{estimate.already} have been asked for already in this request.")
    for state, count in sorted(estimate.refused.items()):
        console.print(f"{count} cannot be: they are {state}.")
    console.print(f"Time   {_duration(estimate.seconds, at_once)}")
    console.print(f"Room   about {estimate.bytes / GB:.2f} GB beside the versions of now")
    console.print("Nothing was asked for; leave out --dry-run to do it.")


def _show_asked(asked: "Asked", estimate: "Estimate", at_once: int, as_json: bool) -> None:
    if as_json:
        print_json(vars(asked))
        return
    console = Console()
    console.print(f"{asked.new} datasets of {asked.beamline} will be reduced again", end="")
    console.print(f", as request {asked.request}; {_duration(estimate.seconds, at_once)}.")
    if asked.already:
        console.print(
            f"{asked.already} had been asked for already: another --request or --reason asks anew."
        )
    for sentence in asked.refused:
        console.print(sentence, markup=False)


def _duration(seconds: float | None, at_once: int) -> str:
    """Say how long runs take that stand one after the other."""
    if seconds is None:
        return "nobody knows how long, for none has ended yet"
    minutes = seconds / at_once / 60
    said = f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"
    return f"about {said}, {at_once} at once, while nothing else lands"
