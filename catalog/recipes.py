"""Beamlines and flows as published from the settings, and the parameters that a run gets."""

import json
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Any, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, relevance
from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from catalog.errors import CatalogError, InvalidParameters, NotFound
from catalog.models import Beamline, FlowSchema, Storage, uuid7

Tree = Mapping[str, Any]
PLACEHOLDERS = {"beamline", "proposal", "visit", "sample", "scan"}


def publish_flow(
    session: Session, flow: str, technique: str, version: str, schema: Mapping[str, Any]
) -> None:
    """Enter a flow with the JSON schema of its parameters, and make this version current."""
    session.execute(
        update(FlowSchema)
        .where(FlowSchema.flow == flow, FlowSchema.version != version)
        .values(is_current=False)
    )
    values = {
        "technique": technique,
        "parameters": dict(schema),
        "is_current": True,
        "published_at": func.now(),
    }
    session.execute(
        insert(FlowSchema)
        .values(flow=flow, version=version, **values)
        .on_conflict_do_update(index_elements=["flow", "version"], set_=values)
    )


def publish_beamline(
    session: Session,
    *,
    id: str,
    name: str,
    technique: str,
    flow: str | None,
    folders: Sequence[Path],
    output_template: str,
    recipe: Mapping[str, Any] | None = None,
    calibration_max_age: timedelta = timedelta(hours=24),
    calibration_rules: Mapping[str, Any] | None = None,
    series_flow: str | None = None,
    series_recipe: Mapping[str, Any] | None = None,
    rules: Sequence[Mapping[str, Any]] = (),
    triggers: Sequence[str] = ("files",),
    purge_derived_after: timedelta | None = None,
    purge_raw_after: timedelta | None = None,
    embargo: timedelta | None = None,
    output_group: str = "",
    output_mode: str = "",
) -> None:
    """Enter a beamline as the settings describe it; its flow must have been published before.

    Parameters
    ----------
    session : Session
        The transaction.
    id, name, technique : str
        What it is called, and what it does.
    flow : str, optional
        The flow that reduces its data; None for a beamline whose data are only catalogued.
    folders : sequence of Path
        The absolute folders that are watched; each becomes a storage named by its path.
    output_template : str
        Absolute folder of a dataset's results, with ``{beamline}``, ``{proposal}``, ``{visit}``,
        ``{sample}`` and ``{scan}``, the last of which must be there.
    recipe : mapping, optional
        The beamline's own defaults for the flow's parameters.
    calibration_max_age : timedelta
        How far in time a calibration may be from the data that it serves.
    calibration_rules : mapping, optional
        By kind: ``choose`` (nearest, before or both), ``max_age_hours`` and ``wait``; for those
        that are reduced themselves ``flow``, and ``recipe`` with the beamline's defaults for it.
    series_flow, series_recipe
        The flow that reduces the results of a series together, and the beamline's own defaults for
        its parameters; None where data form no series.
    rules : sequence of mappings
        What reductions need of the beamline's rules: ``name``, ``technique``, ``flow``, ``recipe``,
        ``batch``, ``series_flow``, ``series_recipe`` and ``calibration``.
    triggers : sequence of str
        The ways of hearing about data that are on.
    purge_derived_after, purge_raw_after : timedelta, optional
        After how long data may be purged; None means never.
    embargo : timedelta, optional
        After how long new data become public by themselves; None means never.
    output_group, output_mode : str
        Group (``{proposal}`` may be in it) and mode of the results' folders; empty: as they come.

    Raises
    ------
    InvalidParameters
        The recipe, or that of a rule, does not fit the flow.
    CatalogError
        A folder is not absolute, or the template cannot tell scans apart.
    """
    _check_template(id, output_template)
    values = {
        "name": name,
        "technique": technique,
        "flow": flow,
        "folders": [str(folder) for folder in folders],
        "output_template": output_template,
        "recipe": dict(recipe or {}),
        "calibration_max_age": calibration_max_age,
        "calibration_rules": dict(calibration_rules or {}),
        "series_flow": series_flow,
        "series_recipe": dict(series_recipe or {}),
        "rules": [dict(rule) for rule in rules],
        "triggers": list(triggers),
        "purge_derived_after": purge_derived_after,
        "purge_raw_after": purge_raw_after,
        "embargo": embargo,
        "output_group": output_group,
        "output_mode": output_mode,
        "published_at": func.now(),
    }
    session.execute(
        insert(Beamline)
        .values(id=id, **values)
        .on_conflict_do_update(index_elements=["id"], set_=values)
    )
    for root in (*map(str, folders), output_root(output_template)):
        storage(session, root)
    _check_recipes(session, session.get_one(Beamline, id, populate_existing=True))


def _check_recipes(session: Session, beamline: Beamline) -> None:
    """Check that the beamline's recipes, and what each rule makes of them, fit the flows."""
    for rule in ("", *(each["name"] for each in beamline.rules)):
        told = f"rule {rule!r}, " if rule else ""
        for series, recipe in ((False, "recipe"), (True, "series_recipe")):
            _check_recipe(session, beamline, f"{told}{recipe}", rule, series=series)
        for kind in beamline.calibration_rules:
            recipe = f"{told}recipe of calibrations of kind {kind!r}"
            _check_recipe(session, beamline, recipe, rule, calibration=kind)


def _check_recipe(
    session: Session,
    beamline: Beamline,
    where: str,
    rule: str,
    *,
    series: bool = False,
    calibration: str = "",
) -> None:
    if flow_name(beamline, rule, series=series, calibration=calibration) is None:
        return
    try:
        effective_parameters(session, beamline.id, {}, rule, series=series, calibration=calibration)
    except InvalidParameters as error:
        raise InvalidParameters(f"Beamline {beamline.id!r}, {where}: {error}") from None


def _check_template(beamline: str, template: str) -> None:
    used = set(re.findall(r"{(.*?)}", template))
    if "scan" not in used or not used <= PLACEHOLDERS or not template.startswith("/"):
        raise CatalogError(
            f"Beamline {beamline!r}: output {template!r} must be an absolute folder with {{scan}} "
            "and perhaps {beamline}, {proposal}, {visit} and {sample} in it, such as "
            "/data/processed/{proposal}/{sample}/{scan}."
        )


def output_root(template: str) -> str:
    """Return the folder above the first part of an output template that has a placeholder."""
    fixed: list[str] = []
    for part in PurePosixPath(template).parts:
        if "{" in part:
            break
        fixed.append(part)
    return str(PurePosixPath(*fixed))


def storage(session: Session, name: str) -> Storage:
    """Return a storage by its name; an absolute folder that is not known yet becomes one.

    Raises
    ------
    NotFound
        There is none of this name, and it is not an absolute folder either.
    """
    name = str(PurePosixPath(name))
    found = session.scalar(select(Storage).where(or_(Storage.name == name, Storage.root == name)))
    if found is not None:
        return found
    if not name.startswith("/"):
        raise NotFound(f"No storage {name!r}: name one from the settings, or an absolute folder.")
    session.execute(
        insert(Storage).values(id=uuid7(), name=name, root=name).on_conflict_do_nothing()
    )
    return session.scalars(select(Storage).where(Storage.root == name)).one()


def beamline_of(session: Session, id: str) -> Beamline:
    """Return a beamline.

    Raises
    ------
    NotFound
        There is no such beamline; the sentence names those that are there.
    """
    found = session.get(Beamline, id)
    if found is None:
        known = ", ".join(session.scalars(select(Beamline.id).order_by(Beamline.id))) or "none"
        raise NotFound(f"No beamline {id!r}; the catalogue has: {known}.")
    return found


def rule_of(beamline: Beamline, name: str) -> dict[str, Any] | None:
    """Return a rule of a beamline as it was published; None if it has none of this name (now)."""
    return next((rule for rule in beamline.rules if name and rule["name"] == name), None)


def flow_name(
    beamline: Beamline, rule: str = "", *, series: bool = False, calibration: str = ""
) -> str | None:
    """Return the flow of data that a rule took, or of their series: the rule's, or the beamline's.

    For a calibration of a kind, it is the flow that reduces these. None means that such data are
    only catalogued, or form no series.
    """
    found = rule_of(beamline, rule)
    if calibration:
        if found is not None and found.get("calibration") == calibration:
            return found["flow"]
        return beamline.calibration_rules.get(calibration, {}).get("flow")
    if series:
        return found.get("series_flow") if found is not None else beamline.series_flow
    if found is None:
        return beamline.flow
    return None if found.get("calibration") else found["flow"]


def current_flow(
    session: Session,
    beamline: Beamline,
    rule: str = "",
    *,
    series: bool = False,
    calibration: str = "",
) -> FlowSchema:
    """Return the current version of the flow of data that a rule took.

    Parameters
    ----------
    session : Session
        The transaction.
    beamline : Beamline
        Whose data.
    rule : str
        ``Dataset.rule``: the name of a rule, or empty.
    series : bool
        Whether the flow of their series is meant.
    calibration : str
        The kind of calibration that is reduced; empty for scans and series.

    Raises
    ------
    NotFound
        There is no flow for such data, or it has not been published.
    """
    name = flow_name(beamline, rule, series=series, calibration=calibration)
    found = session.scalar(select(FlowSchema).where(FlowSchema.flow == name, FlowSchema.is_current))
    if found is None:
        taken = f" that rule {rule!r} takes" if rule else ""
        raise NotFound(
            f"Beamline {beamline.id!r} has no flow that could reduce the data{taken} (the flow is "
            f"{name!r}): check `flow` or `technique` in the settings and start again."
        )
    return found


def effective_parameters(
    session: Session,
    beamline: str,
    overrides: Mapping[str, Any],
    rule: str = "",
    *,
    series: bool = False,
    calibration: str = "",
) -> dict[str, Any]:
    """Return the whole parameters: the flow's defaults, the beamline's, the rule's, the user's.

    The beamline's own recipe is left out where a rule names another flow than the beamline's.

    Parameters
    ----------
    session : Session
        The transaction.
    beamline : str
        Its id.
    overrides : mapping
        What the user wants otherwise.
    rule : str
        ``Dataset.rule``: the rule that took the data, or empty.
    series : bool
        Whether the parameters of their series' flow are meant, which has a recipe of its own.
    calibration : str
        The kind of calibration that is reduced, which has a recipe of its own as well.

    Raises
    ------
    InvalidParameters
        They do not fit the flow; the sentence names the key and the allowed values.
    NotFound
        No such beamline, or no flow for such data.
    """
    found = beamline_of(session, beamline)
    flow = current_flow(session, found, rule, series=series, calibration=calibration)
    base, of_rule = _declared(found, flow.flow, rule, series=series, calibration=calibration)
    return complete_parameters(flow, merged(merged(base, of_rule), overrides))


def _declared(
    beamline: Beamline, flow: str, rule: str, *, series: bool, calibration: str
) -> tuple[Tree, Tree]:
    """Return the recipes that beamline and rule declare for data of this sort."""
    of_rule: Tree = rule_of(beamline, rule) or {}
    if calibration:
        is_meant = of_rule.get("calibration") == calibration
        base: Tree = beamline.calibration_rules.get(calibration, {}).get("recipe", {})
        return base, of_rule["recipe"] if is_meant else {}
    if series:
        base = beamline.series_recipe if flow == beamline.series_flow else {}
        return base, of_rule.get("series_recipe", {})
    return beamline.recipe if flow == beamline.flow else {}, of_rule.get("recipe", {})


def complete_parameters(flow: FlowSchema, given: Mapping[str, Any]) -> dict[str, Any]:
    """Check parameters against a flow's schema, and fill in the defaults that it states.

    Raises
    ------
    InvalidParameters
        They do not fit; the sentence names the key and the allowed values.
    """
    schema = flow.parameters
    properties: dict[str, Any] = schema.get("properties", {})
    for key in given:
        if key not in properties:
            raise InvalidParameters(
                f"{key!r} is not a parameter of {flow.flow!r}; there are: "
                f"{', '.join(sorted(properties))}."
            )
    defaults = {key: about["default"] for key, about in properties.items() if "default" in about}
    parameters = merged(defaults, given)
    validator: Any = Draft202012Validator(schema)  # its stubs leave the type of errors open
    errors: list[ValidationError] = sorted(validator.iter_errors(parameters), key=relevance)
    if errors:
        raise InvalidParameters(_sentence(errors[-1], properties))
    return parameters


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two trees of parameters; the second wins."""
    result = deepcopy(dict(base))
    for key, value in over.items():
        below = result.get(key)
        if isinstance(below, dict) and isinstance(value, Mapping):
            result[key] = merged(cast(Tree, below), cast(Tree, value))
        else:
            result[key] = deepcopy(value)
    return result


def _sentence(error: ValidationError, properties: Mapping[str, Any]) -> str:
    key = ".".join(str(part) for part in error.absolute_path) or "the recipe"
    top = error.absolute_path[0] if error.absolute_path else ""
    allowed = _allowed(properties.get(str(top), {}))
    if not allowed or len(error.absolute_path) > 1:
        return f"{key}: {error.message}."
    return f"{key}: {json.dumps(error.instance)} is not allowed. Allowed: {allowed}."


def _allowed(about: Mapping[str, Any]) -> str:
    """Describe the values that a part of a schema admits."""
    if "enum" in about:
        return ", ".join(json.dumps(value) for value in about["enum"])
    if "const" in about:
        return json.dumps(about["const"])
    if "anyOf" in about:
        return " or ".join(filter(None, map(_allowed, about["anyOf"])))
    limits = {
        "minimum": "from",
        "exclusiveMinimum": "above",
        "maximum": "to",
        "exclusiveMaximum": "below",
    }
    words = [str(about.get("type", ""))]
    words += [f"{word} {about[limit]}" for limit, word in limits.items() if limit in about]
    return " ".join(filter(None, words))
