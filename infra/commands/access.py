"""Who may see what: ``dayseye token``, ``dayseye grant`` and ``dayseye principal``."""

from typing import Annotated, Any

import typer

from infra.commands.common import Json, actor, answer, catalogue
from infra.commands.tables import moment, table

app = typer.Typer()
token = typer.Typer(help="Tokens, by which people and programs say who they are.")
grant = typer.Typer(help="Grants: who may see and change the data of a proposal.")
principal = typer.Typer(help="The people and programs that have tokens or grants.")
app.add_typer(token, name="token")
app.add_typer(grant, name="grant")
app.add_typer(principal, name="principal")

Name = Annotated[str, typer.Argument(metavar="NAME", help="A person or a program.")]
Proposal = Annotated[str, typer.Argument(metavar="PROPOSAL", help="Code of a proposal.")]


@token.command("create")
def create_token(
    context: typer.Context,
    name: Name,
    role: Annotated[str, typer.Option(help="user, staff, or service (reports arrivals).")] = "user",
    days: Annotated[float | None, typer.Option(help="Until it expires; never by default.")] = None,
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
    as_json: Json = False,
) -> None:
    """Make a token and show it, this once."""
    from catalog.access import tokens

    with catalogue(context.obj) as engine, _writing(engine) as session:
        made = tokens.create_token(session, name, role=_role(role), days=days, label=label)
    if as_json:
        answer(True, made, _tokens)
        return
    until = f"until {moment(made.expires_at)}" if made.expires_at else "until it is revoked"
    typer.echo(f"Token of {made.principal} ({made.role}), {until}; it is shown this once:")
    typer.echo(made.token)


@token.command("list")
def list_tokens(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Of this person or program.")] = None,
    as_json: Json = False,
) -> None:
    """List tokens, newest first; the secrets are kept nowhere."""
    from catalog.access import tokens

    with catalogue(context.obj) as engine, _writing(engine) as session:
        found = tokens.tokens(session, name)
    answer(as_json, found, _tokens)


@token.command("revoke")
def revoke_token(
    context: typer.Context,
    token_id: Annotated[str, typer.Argument(metavar="ID", help="Id of a token.")],
    as_json: Json = False,
) -> None:
    """End a token now."""
    from catalog.access import tokens

    with catalogue(context.obj) as engine, _writing(engine) as session:
        found = tokens.revoke_token(session, _uuid(token_id))
    answer(as_json, [found], _tokens)


@grant.command("give")
def give_grant(
    context: typer.Context,
    name: Name,
    proposal: Proposal,
    level: Annotated[str, typer.Option(help="read or write.")] = "read",
    new_proposal: Annotated[
        bool, typer.Option("--new-proposal", help="Its data are still to come.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Let a user see the data of a proposal, or change them."""
    from catalog.access import grants

    if level not in ("read", "write"):
        raise typer.BadParameter(f"{level!r} is not a level; give read or write.")
    with catalogue(context.obj) as engine, _writing(engine) as session:
        given = grants.give(session, name, proposal, level, by=actor(), new_proposal=new_proposal)
    answer(as_json, [given], _grants)


@grant.command("list")
def list_grants(
    context: typer.Context,
    name: Annotated[str | None, typer.Option(help="Of this user.")] = None,
    proposal: Annotated[str | None, typer.Option(help="For this proposal.")] = None,
    as_json: Json = False,
) -> None:
    """List the grants that hold."""
    from catalog.access import grants

    with catalogue(context.obj) as engine, _writing(engine) as session:
        found = grants.grants(session, name, proposal)
    answer(as_json, found, _grants)


@grant.command("revoke")
def revoke_grant(
    context: typer.Context, name: Name, proposal: Proposal, as_json: Json = False
) -> None:
    """End a grant now."""
    from catalog.access import grants

    with catalogue(context.obj) as engine, _writing(engine) as session:
        ended = grants.revoke(session, name, proposal, by=actor())
    answer(as_json, [ended], _grants)


@principal.command("list")
def list_principals(context: typer.Context, as_json: Json = False) -> None:
    """List people and programs."""
    from catalog.access import tokens

    with catalogue(context.obj) as engine, _writing(engine) as session:
        found = tokens.principals(session)
    answer(as_json, found, _principals)


@principal.command("disable")
def disable(context: typer.Context, name: Name, as_json: Json = False) -> None:
    """Shut somebody out, with all of their tokens and logins."""
    _set_disabled(context, name, True, as_json)


@principal.command("enable")
def enable(context: typer.Context, name: Name, as_json: Json = False) -> None:
    """Let somebody in again."""
    _set_disabled(context, name, False, as_json)


def _set_disabled(context: typer.Context, name: str, disabled: bool, as_json: bool) -> None:
    from catalog.access import tokens

    with catalogue(context.obj) as engine, _writing(engine) as session:
        found = tokens.set_disabled(session, name, disabled)
    answer(as_json, [found], _principals)


def _writing(engine: Any) -> Any:
    from sqlalchemy.orm import sessionmaker

    return sessionmaker(engine).begin()


def _role(name: str) -> Any:
    from catalog.states import Role

    if name not in list(Role):
        raise typer.BadParameter(f"{name!r} is not a role; give {', '.join(Role)}.")
    return Role(name)


def _uuid(given: str) -> Any:
    from uuid import UUID

    try:
        return UUID(given)
    except ValueError:
        raise typer.BadParameter(
            f"{given!r} is not an id; `dayseye token list` has them."
        ) from None


def _tokens(found: Any) -> Any:
    rows = [
        (
            each.principal,
            each.role,
            each.label,
            moment(each.created_at),
            moment(each.expires_at),
            moment(each.revoked_at),
            str(each.id),
        )
        for each in found
    ]
    return table(("principal", "role", "for", "made", "expires", "revoked", "id"), rows)


def _grants(found: Any) -> Any:
    rows = [
        (
            each.proposal,
            each.principal,
            each.level,
            f"{each.granted_by} {moment(each.granted_at)}",
            f"{each.revoked_by} {moment(each.revoked_at)}" if each.revoked_at else "",
        )
        for each in found
    ]
    return table(("proposal", "principal", "level", "granted by", "revoked by"), rows)


def _principals(found: Any) -> Any:
    rows = [(each.name, each.role, moment(each.disabled_at)) for each in found]
    return table(("principal", "role", "shut out"), rows)
