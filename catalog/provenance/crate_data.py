"""What went into a run and what came out of it, as entities of a crate."""

from __future__ import annotations

import json
from typing import Any

from rocrate.model.file import File
from rocrate.rocrate import ROCrate

from catalog.models import DatasetFile, Storage
from catalog.provenance.addresses import Addresses
from catalog.provenance.entities import Entity, contextual, moment, single, type_name
from catalog.provenance.facts import Data, Facts, local_path
from catalog.queries.results import PICTURES


def inputs_of(crate: ROCrate, facts: Facts, to: Addresses) -> list[Entity]:
    """Add the datasets that went in."""
    known: dict[str, Entity] = {}
    return [_input_of(crate, data, to, known) for data in facts.inputs]


def _input_of(crate: ROCrate, data: Data, to: Addresses, known: dict[str, Entity]) -> Entity:
    """Add a dataset with its files; one with two roles is added once.

    What is there already is remembered, since a crate looks for it among all that it holds.
    """
    dataset = data.dataset
    files = [_named_file(crate, file, storage, to, known) for file, storage in data.files]
    address = f"{to.dataset(dataset.id)}/"  # the format wants a folder's name to end so
    found = known.get(address)
    if found is None:
        found = known[address] = crate.add_dataset(
            address,
            properties={
                "name": dataset.name,
                "additionalType": dataset.kind,
                "dateCreated": moment(dataset.taken_at),
                "hasPart": single(files),
            },
        )
        if dataset.external_id:
            found["identifier"] = dataset.external_id
    role = contextual(
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


def _named_file(
    crate: ROCrate, file: DatasetFile, storage: Storage, to: Addresses, known: dict[str, Entity]
) -> Entity:
    address = to.raw_file(file.id)
    if address not in known:
        known[address] = crate.add_file(address, properties=_about(file, storage))
    return known[address]


def output_of(
    crate: ROCrate, facts: Facts, file: DatasetFile, storage: Storage, to: Addresses, whole: bool
) -> Entity:
    """Add a file that came out: a picture, or with ``whole`` any file, lies in the crate."""
    about = _about(file, storage)
    address = to.content(facts.result.dataset.id, file.id)
    inside = whole or file.media_type in PICTURES
    path = local_path(file, storage) if inside else None
    if path is None:
        output: Entity = crate.add_file(address, properties=about)
    else:
        output = crate.add(File(crate, path, f"result/{path.name}", properties=about))
        output["url"] = address
    role = contextual(
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


def parameters_of(crate: ROCrate, workflow: Entity, facts: Facts) -> list[Entity]:
    """Add the recipe: what each parameter is, and the value that it had."""
    values: list[Entity] = []
    for name, value in facts.run.parameters.items():
        formal = contextual(
            crate,
            f"#parameter-{name}",
            "FormalParameter",
            name=name,
            additionalType=type_name(value),
        )
        workflow.append_to("input", formal)
        given = value if isinstance(value, str | int | float) else json.dumps(value)
        values.append(
            contextual(
                crate,
                f"#value-{name}",
                "PropertyValue",
                name=name,
                value=given,
                exampleOfWork=formal,
            )
        )
    return values
