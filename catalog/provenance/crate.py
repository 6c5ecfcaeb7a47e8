"""A result as RO-Crate after the profile Provenance Run Crate 0.5.

The flow is the workflow, its steps are tool executions, and the recipe's parameters and the data
are what went in. Pictures and, if wanted, all files of the result lie in the crate; everything else
is named by where this catalogue has it.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from rocrate.model.contextentity import ContextEntity
from rocrate.model.file import File
from rocrate.rocrate import ROCrate

from catalog.models import DatasetFile, Step, Storage
from catalog.provenance.addresses import Addresses
from catalog.provenance.facts import Data, Facts, local_path
from catalog.provenance.software import agent, engine, machine, tool
from catalog.queries.results import PICTURES, full_name, quality_figures
from catalog.verdicts import sentence

Entity = Any  # rocrate's entities are mappings without types
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/provenance/0.5": ("Provenance Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
DESCRIPTOR_PROFILES = (
    "https://w3id.org/ro/crate/1.1",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0",
)
TERMS = "https://w3id.org/ro/terms/workflow-run/context"
WORKFLOW_TYPES = ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"]
LICENCE = "https://spdx.org/licenses/BSD-3-Clause"
DONE = "http://schema.org/CompletedActionStatus"
JSON_TYPES = ((bool, "Boolean"), (int, "Integer"), (float, "Float"), (str, "Text"))


def build_crate(facts: Facts, public_url: str, *, with_files: bool = False) -> ROCrate:
    """Describe how a result came to be.

    Parameters
    ----------
    facts
        What the catalogue knows.
    public_url
        The address of the catalogue, which names what does not lie in the crate.
    with_files
        Whether all files of the result are put into the crate, and not its pictures alone.
    """
    crate = ROCrate(version="1.1")
    crate.metadata.extra_contexts.append(TERMS)
    crate.metadata["conformsTo"] = [{"@id": address} for address in DESCRIPTOR_PROFILES]
    to = Addresses(public_url)
    _describe_root(crate, facts, to)
    workflow = _workflow(crate, facts)
    inputs = [_input(crate, data, to) for data in facts.inputs]
    outputs = [
        _output(crate, facts, file, storage, to, with_files) for file, storage in facts.result.files
    ]
    values = _parameters(crate, workflow, facts)
    run = _run(crate, facts, workflow, [*inputs, *values], outputs)
    _steps(crate, facts, workflow, run)
    _judge(crate, facts, outputs)
    return crate


def write_crate(crate: ROCrate, place: Path) -> Path:
    """Write a crate into a folder, or into a file when the name ends in ``.zip``."""
    if place.suffix == ".zip":
        crate.write_zip(place)
    else:
        crate.write(place)
    return place


def zipped_crate(crate: ROCrate) -> Iterable[bytes]:
    """Return a crate as a zip file, piece by piece: a volume need not fit into the memory."""
    return crate.stream_zip()


# -- what the crate is about -------------------------------------------------------------------


def _describe_root(crate: ROCrate, facts: Facts, to: Addresses) -> None:
    result = facts.result.dataset
    about = f"{facts.run.flow} of {result.name} at {facts.beamline.name}"
    if facts.proposal:
        about += f", proposal {facts.proposal.code}"
    if facts.hidden_inputs:
        about += f"; {facts.hidden_inputs} inputs are not shown to who asked"
    crate.name = full_name(result.name, result.version)
    crate.description = f"{about}. Visibility in the catalogue: {result.visibility}."
    crate.datePublished = result.created_at
    root: Entity = crate.root_dataset
    root["identifier"] = to.dataset(result.id)
    root["conformsTo"] = [
        _context(crate, address, "CreativeWork", name=name, version=version)
        for address, (name, version) in PROFILES.items()
    ]
    root["license"] = _context(
        crate,
        "#terms",
        "CreativeWork",
        name="Terms of the facility",
        description=f"The data are {result.visibility}; ask the facility for the terms of use.",
    )
    if facts.sample:
        sample = facts.sample
        facets = {"formula": sample.formula, "density_g_cm3": sample.density}
        root["about"] = _context(
            crate,
            f"#sample-{sample.id}",
            "Thing",
            name=sample.name,
            additionalProperty=_properties(crate, "sample", facets),
        )


def _workflow(crate: ROCrate, facts: Facts) -> Entity:
    """Put the flow into the crate, as the catalogue knows it: version, parameters, steps."""
    run, schema = facts.run, facts.flow_schema
    description = {
        "flow": run.flow,
        "version": run.recipe_version,
        "technique": schema.technique if schema else facts.result.dataset.technique,
        "parameters": schema.parameters if schema else {},
        "steps": [_step_name(step) for step in facts.steps],
    }
    source = io.StringIO(json.dumps(description, indent=2, ensure_ascii=False))
    language = _context(
        crate,
        "#prefect",
        "ComputerLanguage",
        name="Prefect flow (Python)",
        url={"@id": "https://www.prefect.io"},
    )
    workflow: Entity = crate.add_file(
        source,
        dest_path=f"workflow/{run.flow}.json",
        properties={
            "@type": WORKFLOW_TYPES,
            "name": run.flow,
            "version": run.recipe_version,
            "encodingFormat": "application/json",
            "license": {"@id": LICENCE},
            "programmingLanguage": language,
        },
    )
    _context(crate, LICENCE, "CreativeWork", name="BSD 3-Clause", identifier=LICENCE)
    crate.mainEntity = workflow
    return workflow


# -- data --------------------------------------------------------------------------------------


def _input(crate: ROCrate, data: Data, to: Addresses) -> Entity:
    dataset = data.dataset
    files = [_named_file(crate, file, storage, to) for file, storage in data.files]
    address = f"{to.dataset(dataset.id)}/"  # the format wants a folder's name to end so
    found: Entity = crate.dereference(address)
    if found is None:
        found = crate.add_dataset(
            address,
            properties={
                "name": dataset.name,
                "additionalType": dataset.kind,
                "dateCreated": _time(dataset.taken_at),
                "hasPart": _single(files),
            },
        )
        if dataset.external_id:
            found["identifier"] = dataset.external_id
    role = _context(
        crate,
        f"#input-{data.role}",
        "FormalParameter",
        name=data.role,
        additionalType="Dataset",
        valueRequired=True,
    )
    crate.mainEntity.append_to("input", role)
    found.append_to("exampleOfWork", role)
    return found


def _named_file(crate: ROCrate, file: DatasetFile, storage: Storage, to: Addresses) -> Entity:
    known = crate.dereference(to.raw_file(file.id))
    return known or crate.add_file(to.raw_file(file.id), properties=_about(file, storage))


def _output(
    crate: ROCrate, facts: Facts, file: DatasetFile, storage: Storage, to: Addresses, whole: bool
) -> Entity:
    about = _about(file, storage)
    address = to.content(facts.result.dataset.id, file.id)
    inside = whole or file.media_type in PICTURES
    path = local_path(file, storage) if inside else None
    if path is None:
        output: Entity = crate.add_file(address, properties=about)
    else:
        output = crate.add(File(crate, path, f"result/{path.name}", properties=about))
        output["url"] = address
    role = _context(
        crate, f"#output-{file.role}", "FormalParameter", name=file.role, additionalType="File"
    )
    crate.mainEntity.append_to("output", role)
    output["exampleOfWork"] = role
    return output


def _about(file: DatasetFile, storage: Storage) -> dict[str, Any]:
    about: dict[str, Any] = {
        "name": file.path.rpartition("/")[2],
        "alternateName": file.path,
        "contentSize": str(file.size),
        "description": f"{file.role} on the storage {storage.name}",
        "encodingFormat": file.media_type or "application/octet-stream",
    }
    if file.digest and file.digest_algorithm == "sha256":
        about["sha256"] = file.digest
    elif file.digest or file.fingerprint:
        algorithm = f"{file.digest_algorithm}:" if file.digest else ""
        about["identifier"] = f"{algorithm}{file.digest or file.fingerprint}"
    return about


def _parameters(crate: ROCrate, workflow: Entity, facts: Facts) -> list[Entity]:
    values: list[Entity] = []
    for name, value in facts.run.parameters.items():
        formal = _context(
            crate,
            f"#parameter-{name}",
            "FormalParameter",
            name=name,
            additionalType=_type_name(value),
        )
        workflow.append_to("input", formal)
        given = value if isinstance(value, str | int | float) else json.dumps(value)
        values.append(
            _context(
                crate,
                f"#value-{name}",
                "PropertyValue",
                name=name,
                value=given,
                exampleOfWork=formal,
            )
        )
    return values


# -- what was done -----------------------------------------------------------------------------


def _run(
    crate: ROCrate, facts: Facts, workflow: Entity, used: list[Entity], made: list[Entity]
) -> Entity:
    run, attempt = facts.run, facts.attempt
    action = _context(
        crate,
        f"#run-{run.id}",
        "CreateAction",
        name=f"{run.flow} of {facts.result.dataset.name}, version {run.version}",
        description=run.reason,
        identifier=run.run_key,
        instrument=workflow,
        object=used,
        result=made,
        agent=_add(crate, agent(run.actor)),
        location=_add(crate, machine(attempt)),
        startTime=_time(attempt.claimed_at),
        endTime=_time(attempt.finished_at or facts.result.dataset.created_at),
        actionStatus=DONE,
    )
    crate.root_dataset.append_to("mentions", action)
    return action


def _steps(crate: ROCrate, facts: Facts, workflow: Entity, run: Entity) -> None:
    controls = [
        _step(crate, workflow, step, position) for position, step in enumerate(facts.steps, 1)
    ]
    if not facts.steps:  # a workflow names at least one tool: what ran the flow
        workflow.append_to("hasPart", _add(crate, engine(facts.attempt)))
    organised = _context(
        crate,
        f"#engine-run-{facts.attempt.id}",
        "OrganizeAction",
        name=f"flow run {facts.attempt.flow_run_id}",
        instrument=_add(crate, engine(facts.attempt)),
        object=controls,
        result=run,
        startTime=_time(facts.attempt.claimed_at),
    )
    crate.root_dataset.append_to("mentions", organised)


def _step(crate: ROCrate, workflow: Entity, step: Step, position: int) -> Entity:
    used = _add(crate, tool(step))
    if used not in workflow.get("hasPart", []):
        workflow.append_to("hasPart", used)
    how = _context(
        crate,
        f"{workflow.id}#step-{position}",
        "HowToStep",
        name=f"{step.stage}: {step.algorithm}",
        position=str(position),
        workExample=used,
    )
    workflow.append_to("step", how)
    action = _context(
        crate,
        f"#step-run-{step.id}",
        "CreateAction",
        name=_step_name(step),
        description=f"{step.calls} calls on {step.device}, in the stage {step.stage}",
        instrument=used,
        object=_properties(crate, f"step-{position}", step.parameters),
        endTime=_time(step.recorded_at),
        actionStatus=DONE,
        resourceUsage=_usage(crate, step, position),
    )
    crate.root_dataset.append_to("mentions", action)
    return _context(
        crate,
        f"#control-{step.id}",
        "ControlAction",
        name=f"step {position}",
        instrument=how,
        object=action,
        actionStatus=DONE,
    )


def _usage(crate: ROCrate, step: Step, position: int) -> Entity:
    """Return what a step used: seconds of all its calls together."""
    return _context(
        crate,
        f"#usage-{position}",
        "PropertyValue",
        name="wall time of all calls",
        propertyID="https://qudt.org/vocab/quantitykind/Time",
        value=step.seconds,
        unitCode="https://qudt.org/vocab/unit/SEC",
    )


def _judge(crate: ROCrate, facts: Facts, outputs: list[Entity]) -> None:
    record = facts.verdict
    if record is None:
        return
    figures = {
        f"{figure.name} ({figure.unit})" if figure.unit else figure.name: figure.value
        for figure in quality_figures(record.quality)
    }
    review = _context(
        crate,
        f"#verdict-{record.id}",
        "Review",
        name=f"verdict: {record.verdict}",
        reviewBody="; ".join(map(sentence, record.reasons)),
        author=_add(crate, agent(record.actor)),
        dateCreated=_time(record.at),
        version=record.rules_version or "",
        itemReviewed=outputs,
        additionalProperty=_properties(crate, "quality", figures),
    )
    crate.root_dataset.append_to("review", review)


def _step_name(step: Step) -> str:
    return f"{step.stage}: {step.algorithm} {step.version} ({step.implementation})"


def _time(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


def _type_name(value: object) -> str:
    """Return a parameter's type in the words of schema.org."""
    return next((name for kind, name in JSON_TYPES if isinstance(value, kind)), "PropertyValue")


# -- entities ----------------------------------------------------------------------------------


def _context(crate: ROCrate, key: str, kind: str, **properties: Any) -> Entity:
    """Add an entity that is not data; one that is there already is returned."""
    known: Entity = crate.dereference(key)
    if known is not None:
        return known
    entity: Entity = crate.add(ContextEntity(crate, key, properties={"@type": kind}))
    for name, value in properties.items():
        if value not in (None, [], ""):
            entity[name] = _single(value)
    return entity


def _single(value: Any) -> Any:
    """Return the only one of a list as itself, as the format recommends."""
    if not isinstance(value, list):
        return value
    items = cast("list[Any]", value)
    return items[0] if len(items) == 1 else items


def _properties(crate: ROCrate, base: str, values: dict[str, Any]) -> list[Entity]:
    return [
        _context(
            crate,
            f"#{base}-{name}".replace(" ", "-"),
            "PropertyValue",
            name=name,
            value=value if isinstance(value, str | int | float) else json.dumps(value),
        )
        for name, value in values.items()
        if value is not None
    ]


def _add(crate: ROCrate, described: dict[str, Any]) -> Entity:
    """Add an entity as :mod:`catalog.provenance.software` describes it, with its parts."""
    properties = dict(described)
    key, kind = properties.pop("@id"), properties.pop("@type")
    for name, value in properties.items():
        if isinstance(value, list):
            parts = cast("list[dict[str, Any]]", value)
            properties[name] = [_add(crate, part) for part in parts]
    return _context(crate, key, kind, **properties)
