"""Which flow reduces the data of a beamline, and those that one of its rules takes."""

from collections.abc import Sequence
from typing import Any

from flows.registry import FLOWS, FlowEntry
from infra.settings import ConfigurationError
from triggers.beamline import Beamline
from triggers.rules import CATALOGUE_ONLY, NO_SERIES, Rule


def flow_of(beamline: Beamline, rule: Rule | None = None) -> str | None:
    """Return the name of the flow of data, by rule and technique; None: only catalogued.

    Raises
    ------
    ConfigurationError
        A rule names a flow or a technique that is not known.
    """
    where = f"beamlines.{beamline.id}.rules.{rule.name}" if rule else ""
    if rule is not None and rule.calibration:
        return _of_calibrations_that(rule, beamline, where)
    if rule is not None and rule.flow is not None:
        return _named(rule.flow, where)
    found = _of_scans().get(beamline.technique_of(rule))
    if found is None and rule is not None and rule.technique is not None:
        known = ", ".join(sorted(_of_scans()))
        raise ConfigurationError(
            f"{where}.technique: no flow reduces {rule.technique!r}; there are: {known}. With flow "
            f"= {CATALOGUE_ONLY!r} such data are catalogued."
        )
    return found.name if found else None


def _of_calibrations_that(rule: Rule, beamline: Beamline, where: str) -> str | None:
    """Return the flow of the calibrations that a rule takes; most are only catalogued."""
    flow = calibrating_flows(beamline).get(rule.calibration or "")
    if rule.flow not in (None, flow, CATALOGUE_ONLY):
        raise ConfigurationError(
            f"{where}.flow: {rule.flow!r} does not reduce calibrations of kind "
            f"{rule.calibration!r}; leave it out, or say {CATALOGUE_ONLY!r}."
        )
    chosen = None if rule.flow == CATALOGUE_ONLY else flow
    if rule.recipe and chosen is None:
        raise ConfigurationError(
            f"{where}.recipe: calibrations of kind {rule.calibration!r} are only catalogued here, "
            "and have no recipe."
        )
    return chosen


def calibrating_flows(beamline: Beamline) -> dict[str, str]:
    """Return the flows that reduce calibrations of a beamline, by kind, for all its techniques."""
    techniques = {beamline.technique, *(each.technique for each in beamline.rules)}
    return {
        entry.calibrates: entry.name
        for entry in FLOWS.values()
        if entry.calibrates and entry.technique in techniques
    }


def published_calibrations(beamline: Beamline) -> dict[str, dict[str, Any]]:
    """Return how calibrations are chosen and reduced, by kind, for the catalogue.

    Raises
    ------
    ConfigurationError
        There is a recipe for a kind that no flow reduces.
    """
    flows = calibrating_flows(beamline)
    published = {
        kind: rule.model_dump(mode="json", exclude_defaults=True)
        for kind, rule in beamline.calibrations.items()
    }
    for kind, rule in published.items():
        if rule.get("recipe") and kind not in flows:
            raise ConfigurationError(
                f"beamlines.{beamline.id}.calibrations.{kind}.recipe: no flow of this beamline's "
                f"techniques reduces calibrations of kind {kind!r}."
            )
    for kind, flow in flows.items():
        published.setdefault(kind, {})["flow"] = flow
    return published


def _named(name: str, where: str) -> str | None:
    if name == CATALOGUE_ONLY:
        return None
    known = {entry.name for entry in _of_scans().values()}
    if name not in known:
        names = ", ".join(sorted(known))
        raise ConfigurationError(
            f"{where}.flow: there is no flow {name!r}; there are: {names}, and {CATALOGUE_ONLY!r} "
            "for data that are only catalogued."
        )
    return name


def series_flow_of(beamline: Beamline, rule: Rule | None = None) -> str | None:
    """Return the name of the flow that reduces the results of a series; None: there is no series.

    Raises
    ------
    ConfigurationError
        A series is declared for data whose flow has none.
    """
    flow = flow_of(beamline, rule)
    entry = next((each for each in FLOWS.values() if each.name == flow), None)
    if beamline.series_of(rule) == NO_SERIES or entry is None:
        return None
    if entry.series is not None:
        return FLOWS[entry.series].name
    if declared := (rule.series if rule else beamline.series):
        where = f"beamlines.{beamline.id}" + (f".rules.{rule.name}" if rule else "")
        raise ConfigurationError(
            f"{where}.series: no flow reduces the results of {flow!r} together; leave {declared!r} "
            "out, or say 'none'."
        )
    return None


def _of_scans() -> dict[str, FlowEntry]:
    """Return the flows that reduce scans, by technique."""
    of_series = {entry.series for entry in FLOWS.values()}
    return {
        key: entry for key, entry in FLOWS.items() if key not in of_series and not entry.calibrates
    }


def published_rules(beamline: Beamline) -> list[dict[str, Any]]:
    """Return what reductions need to know of a beamline's rules, for the catalogue."""
    return [
        {
            "name": rule.name,
            "technique": beamline.technique_of(rule),
            "flow": flow_of(beamline, rule),
            "recipe": rule.recipe,
            "series_flow": series_flow_of(beamline, rule),
            "series_recipe": rule.series_recipe,
            "batch": rule.batch.model_dump(mode="json") if rule.batch else None,
            "calibration": rule.calibration,
        }
        for rule in beamline.rules
        if not rule.ignore
    ]


def check_flows(beamlines: Sequence[Beamline]) -> None:
    """
    Check that the flows of all rules are known, and those of series and calibrations.

    Raises
    ------
    ConfigurationError
        The sentence names the rule, and what there is.
    """
    for beamline in beamlines:
        series_flow_of(beamline)
        published_rules(beamline)
        published_calibrations(beamline)
