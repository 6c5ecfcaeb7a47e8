"""Entities of a crate: added once under their key, lists of one written as the one."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, cast

from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

Entity = Any  # rocrate's entities are mappings without types
JSON_TYPES = ((bool, "Boolean"), (int, "Integer"), (float, "Float"), (str, "Text"))


def moment(at: datetime) -> str:
    """Return a time as ISO 8601 to the second, the form that validators know."""
    return at.isoformat(timespec="seconds")


def type_name(value: object) -> str:
    """Return a parameter's type in the words of schema.org."""
    return next((name for kind, name in JSON_TYPES if isinstance(value, kind)), "PropertyValue")


def contextual(crate: ROCrate, key: str, kind: str, **properties: Any) -> Entity:
    """Add an entity that is not data; one that is there already is returned."""
    known: Entity = crate.dereference(key)
    if known is not None:
        return known
    entity: Entity = crate.add(ContextEntity(crate, key, properties={"@type": kind}))
    for name, value in properties.items():
        if value not in (None, [], ""):
            entity[name] = single(value)
    return entity


def single(value: Any) -> Any:
    """Return the only one of a list as itself, as the format recommends."""
    if not isinstance(value, list):
        return value
    items = cast("list[Any]", value)
    return items[0] if len(items) == 1 else items


def properties(crate: ROCrate, base: str, values: dict[str, Any]) -> list[Entity]:
    """Add values by name; what is unknown is left out, what is no plain value becomes JSON."""
    return [
        contextual(
            crate,
            f"#{base}-{name}".replace(" ", "-"),
            "PropertyValue",
            name=name,
            value=value if isinstance(value, str | int | float) else json.dumps(value),
        )
        for name, value in values.items()
        if value is not None
    ]


def described(crate: ROCrate, about: dict[str, Any]) -> Entity:
    """Add an entity as :mod:`catalog.provenance.software` describes it, with its parts."""
    facets = dict(about)
    key, kind = facets.pop("@id"), facets.pop("@type")
    for name, value in facets.items():
        if isinstance(value, list):
            parts = cast("list[dict[str, Any]]", value)
            facets[name] = [described(crate, part) for part in parts]
    return contextual(crate, key, kind, **facets)
