"""Who and what took part in a run, as entities of schema.org."""

from __future__ import annotations

import json
from typing import Any

from catalog.actors import AUTOMATIC
from catalog.models import Attempt, Step


def agent(actor: str) -> dict[str, Any]:
    """Return who did it: a person, or the platform by itself."""
    key = f"#agent-{actor}".replace(" ", "-")
    if actor in AUTOMATIC:
        return {"@id": key, "@type": "SoftwareApplication", "name": f"Dayseye: {actor}"}
    return {"@id": key, "@type": "Person", "name": actor.removeprefix("cli:")}


def tool(step: Step) -> dict[str, Any]:
    """Return the algorithm of a step in the implementation that ran, with its packages."""
    return {
        "@id": f"#tool-{step.algorithm}-{step.implementation}-{step.version}",
        "@type": "SoftwareApplication",
        "name": f"{step.algorithm} ({step.implementation})",
        "softwareVersion": step.version,
        "softwareRequirements": [package(name, str(v)) for name, v in step.packages.items()],
    }


def engine(attempt: Attempt) -> dict[str, Any]:
    """Return what ran the flow."""
    versions = (attempt.machine or {}).get("packages", {})
    found = {
        "@id": "#engine",
        "@type": "SoftwareApplication",
        "name": "Dayseye with Prefect and Dask",
        "url": "https://www.prefect.io",
        "softwareRequirements": [package(name, version) for name, version in versions.items()],
    }
    if "dayseye" in versions:
        found["softwareVersion"] = versions["dayseye"]
    return found


def package(name: str, version: str) -> dict[str, Any]:
    """Return a package of Python, named by its package URL."""
    return {
        "@id": f"pkg:pypi/{name}@{version}",
        "@type": "SoftwareApplication",
        "name": name,
        "softwareVersion": version,
    }


def machine(attempt: Attempt) -> dict[str, Any]:
    """Return the machine, with everything that was recorded of it."""
    known = {name: value for name, value in (attempt.machine or {}).items() if name != "packages"}
    known.setdefault("host", attempt.host)
    return {
        "@id": f"#machine-{attempt.id}",
        "@type": "VirtualLocation",
        "name": attempt.host,
        "additionalProperty": [
            {
                "@id": f"#machine-{name}",
                "@type": "PropertyValue",
                "name": name,
                "value": value if isinstance(value, str | int | float) else json.dumps(value),
            }
            for name, value in known.items()
            if value is not None
        ],
    }
