"""Which flow reduces the data of a beamline, and those that one of its rules takes."""

from collections.abc import Sequence
from typing import Any

from flows.registry import FLOWS, FlowEntry
from infra.settings import ConfigurationError
from triggers.beamline import Beamline
from triggers.rules import CATALOGUE_ONLY, Rule


def flow_of(beamline: Beamline, rule: Rule | None = None) -> str | None:
    """Return the name of the flow of data, by rule and technique; None: only catalogued.

    Raises
    ------
    ConfigurationError
        A rule names a flow or a technique that is not known.
    """
    where = f"beamlines.{beamline.id}.rules.{rule.name}" if rule else ""
    if rule is not None and rule.flow is not None:
        return _named(rule.flow, where)
    found = FLOWS.get(beamline.technique_of(rule))
    if found is None and rule is not None and rule.technique is not None:
        raise ConfigurationError(
            f"{where}.technique: no flow reduces {rule.technique!r}; there are: "
            f"{', '.join(sorted(FLOWS))}. With flow = {CATALOGUE_ONLY!r} such data are catalogued."
        )
    return found.name if found else None


def _named(name: str, where: str) -> str | None:
    if name == CATALOGUE_ONLY:
        return None
    known: list[FlowEntry] = [entry for entry in FLOWS.values() if entry.name == name]
    if not known:
        names = ", ".join(sorted(entry.name for entry in FLOWS.values()))
        raise ConfigurationError(
            f"{where}.flow: there is no flow {name!r}; there are: {names}, and {CATALOGUE_ONLY!r} "
            "for data that are only catalogued."
        )
    return name


def published_rules(beamline: Beamline) -> list[dict[str, Any]]:
    """Return what reductions need to know of a beamline's rules, for the catalogue."""
    return [
        {
            "name": rule.name,
            "technique": beamline.technique_of(rule),
            "flow": flow_of(beamline, rule),
            "recipe": rule.recipe,
            "batch": rule.batch.model_dump(mode="json") if rule.batch else None,
        }
        for rule in beamline.rules
        if not rule.ignore
    ]


def check_flows(beamlines: Sequence[Beamline]) -> None:
    """
    Check that the flows and techniques of all rules are known.

    Raises
    ------
    ConfigurationError
        The sentence names the rule, and what there is.
    """
    for beamline in beamlines:
        published_rules(beamline)
