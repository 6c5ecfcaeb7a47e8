"""A result as PROV (W3C), in its JSON form."""

from __future__ import annotations

from typing import Any

from prov.model import ProvDocument

from catalog.actors import AUTOMATIC
from catalog.provenance.facts import Data, Facts

NAMESPACE = "https://w3id.org/dayseye/terms#"


def prov_json(facts: Facts, public_url: str) -> str:
    """Return how a result came to be as PROV-JSON."""
    return str(document(facts, public_url).serialize(format="json", indent=2))


def document(facts: Facts, public_url: str) -> ProvDocument:
    """Describe entities (data), activities (the run and its steps) and agents."""
    prov = ProvDocument()
    base = public_url.rstrip("/")
    prov.add_namespace("dayseye", NAMESPACE)
    prov.add_namespace("dataset", f"{base}/datasets/")
    prov.add_namespace("run", f"{base}/runs/")
    prov.add_namespace("step", f"{base}/runs/{facts.run.id}#step-")
    prov.add_namespace("file", "urn:uuid:")
    prov.add_namespace("agent", f"{base}/agents#")
    _run(prov, facts)
    result = _data(prov, facts.result)
    prov.wasGeneratedBy(result, f"run:{facts.run.id}", facts.attempt.finished_at)
    for data in facts.inputs:
        source = _data(prov, data)
        role = {"prov:role": data.role}
        prov.used(f"run:{facts.run.id}", source, facts.attempt.claimed_at, other_attributes=role)
        prov.wasDerivedFrom(result, source, activity=f"run:{facts.run.id}")
    _steps(prov, facts)
    return prov


def _run(prov: ProvDocument, facts: Facts) -> None:
    run, attempt = facts.run, facts.attempt
    parameters = {f"dayseye:parameter_{name}": _plain(v) for name, v in run.parameters.items()}
    hardware = {f"dayseye:machine_{k}": _plain(v) for k, v in (attempt.machine or {}).items()}
    activity = prov.activity(
        f"run:{run.id}",
        attempt.claimed_at,
        attempt.finished_at,
        {
            "prov:label": f"{run.flow} {run.recipe_version}",
            "dayseye:run_key": run.run_key,
            "dayseye:reason": run.reason,
            "dayseye:host": attempt.host,
            **parameters,
            **hardware,
        },
    )
    who = "prov:SoftwareAgent" if run.actor in AUTOMATIC else "prov:Person"
    agent = prov.agent(
        f"agent:{_word(run.actor)}",
        {"prov:type": prov.valid_qualified_name(who), "prov:label": run.actor},
    )
    prov.wasAssociatedWith(activity, agent)


def _data(prov: ProvDocument, data: Data) -> Any:
    dataset = data.dataset
    entity = prov.entity(
        f"dataset:{dataset.id}",
        {"prov:label": dataset.name, "dayseye:kind": dataset.kind, "dayseye:state": dataset.state},
    )
    for file, storage in data.files:
        digest = f"{file.digest_algorithm}:{file.digest}" if file.digest else file.fingerprint
        part = prov.entity(
            f"file:{file.id}",
            {
                "prov:label": file.path,
                "dayseye:storage": storage.name,
                "dayseye:size": file.size,
                "dayseye:digest": digest or "unknown",
            },
        )
        prov.hadMember(entity, part)
    return entity


def _steps(prov: ProvDocument, facts: Facts) -> None:
    for position, step in enumerate(facts.steps, 1):
        activity = prov.activity(
            f"step:{position}",
            None,
            step.recorded_at,
            {
                "prov:label": f"{step.stage}: {step.algorithm} {step.version}",
                "dayseye:implementation": step.implementation,
                "dayseye:device": step.device,
                "dayseye:seconds": step.seconds,
            },
        )
        prov.wasInformedBy(f"run:{facts.run.id}", activity)


def _plain(value: Any) -> str | int | float | bool:
    return value if isinstance(value, str | int | float) else repr(value)


def _word(name: str) -> str:
    return "".join(each if each.isalnum() else "-" for each in name)
