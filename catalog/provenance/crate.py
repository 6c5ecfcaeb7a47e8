"""A result as RO-Crate after the profile Provenance Run Crate 0.5.

The flow is the workflow, its steps are tool executions, and the recipe's parameters and the data
are what went in. Pictures and, if wanted, all files of the result lie in the crate; everything else
is named by where this catalogue has it.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from pathlib import Path

from rocrate.rocrate import ROCrate

from catalog.models import Step
from catalog.provenance.addresses import Addresses
from catalog.provenance.crate_data import inputs_of, output_of, parameters_of
from catalog.provenance.entities import Entity, contextual, described, moment, properties
from catalog.provenance.facts import Facts
from catalog.provenance.software import agent, engine, machine, tool
from catalog.queries.results import full_name, quality_figures
from catalog.verdicts import sentence

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
    inputs = inputs_of(crate, facts, to)
    outputs = [
        output_of(crate, facts, file, storage, to, with_files)
        for file, storage in facts.result.files
    ]
    values = parameters_of(crate, workflow, facts)
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
        contextual(crate, address, "CreativeWork", name=name, version=version)
        for address, (name, version) in PROFILES.items()
    ]
    root["license"] = contextual(
        crate,
        "#terms",
        "CreativeWork",
        name="Terms of the facility",
        description=f"The data are {result.visibility}; ask the facility for the terms of use.",
    )
    if facts.sample:
        sample = facts.sample
        facets = {"formula": sample.formula, "density_g_cm3": sample.density}
        root["about"] = contextual(
            crate,
            f"#sample-{sample.id}",
            "Thing",
            name=sample.name,
            additionalProperty=properties(crate, "sample", facets),
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
    language = contextual(
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
    contextual(crate, LICENCE, "CreativeWork", name="BSD 3-Clause", identifier=LICENCE)
    crate.mainEntity = workflow
    return workflow


# -- what was done -----------------------------------------------------------------------------


def _run(
    crate: ROCrate, facts: Facts, workflow: Entity, used: list[Entity], made: list[Entity]
) -> Entity:
    run, attempt = facts.run, facts.attempt
    action = contextual(
        crate,
        f"#run-{run.id}",
        "CreateAction",
        name=f"{run.flow} of {facts.result.dataset.name}, version {run.version}",
        description=run.reason,
        identifier=run.run_key,
        instrument=workflow,
        object=used,
        result=made,
        agent=described(crate, agent(run.actor)),
        location=described(crate, machine(attempt)),
        startTime=moment(attempt.claimed_at),
        endTime=moment(attempt.finished_at or facts.result.dataset.created_at),
        actionStatus=DONE,
    )
    crate.root_dataset.append_to("mentions", action)
    return action


def _steps(crate: ROCrate, facts: Facts, workflow: Entity, run: Entity) -> None:
    controls = [
        _step(crate, workflow, step, position) for position, step in enumerate(facts.steps, 1)
    ]
    if not facts.steps:  # a workflow names at least one tool: what ran the flow
        workflow.append_to("hasPart", described(crate, engine(facts.attempt)))
    organised = contextual(
        crate,
        f"#engine-run-{facts.attempt.id}",
        "OrganizeAction",
        name=f"flow run {facts.attempt.flow_run_id}",
        instrument=described(crate, engine(facts.attempt)),
        object=controls,
        result=run,
        startTime=moment(facts.attempt.claimed_at),
    )
    crate.root_dataset.append_to("mentions", organised)


def _step(crate: ROCrate, workflow: Entity, step: Step, position: int) -> Entity:
    used = described(crate, tool(step))
    if used not in workflow.get("hasPart", []):
        workflow.append_to("hasPart", used)
    how = contextual(
        crate,
        f"{workflow.id}#step-{position}",
        "HowToStep",
        name=f"{step.stage}: {step.algorithm}",
        position=str(position),
        workExample=used,
    )
    workflow.append_to("step", how)
    action = contextual(
        crate,
        f"#step-run-{step.id}",
        "CreateAction",
        name=_step_name(step),
        description=f"{step.calls} calls on {step.device}, in the stage {step.stage}",
        instrument=used,
        object=properties(crate, f"step-{position}", step.parameters),
        endTime=moment(step.recorded_at),
        actionStatus=DONE,
        resourceUsage=_usage(crate, step, position),
    )
    crate.root_dataset.append_to("mentions", action)
    return contextual(
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
    return contextual(
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
    review = contextual(
        crate,
        f"#verdict-{record.id}",
        "Review",
        name=f"verdict: {record.verdict}",
        reviewBody="; ".join(map(sentence, record.reasons)),
        author=described(crate, agent(record.actor)),
        dateCreated=moment(record.at),
        version=record.rules_version or "",
        itemReviewed=outputs,
        additionalProperty=properties(crate, "quality", figures),
    )
    crate.root_dataset.append_to("review", review)


def _step_name(step: Step) -> str:
    return f"{step.stage}: {step.algorithm} {step.version} ({step.implementation})"
