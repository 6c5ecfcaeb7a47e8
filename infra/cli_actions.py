"""What the commands ask of the catalogue."""

import getpass
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from catalog import queries, runs
from catalog.api.health import measure
from catalog.arrivals import Recorded
from catalog.errors import CatalogError, NotFound
from catalog.models import Dataset
from catalog.queries import (
    DatasetDetail,
    DatasetFilter,
    DatasetSummary,
    RunFilter,
    RunSummary,
    Status,
)
from infra.settings import ConfigurationError, Settings
from infra.state import State
from infra.up import service_states
from triggers import ingest as triggers_ingest
from triggers.beamline import Beamline

SETTLED = {"quarantined", "incomplete", "aborted", "waiting_for_calibration"}
ENDED = {"completed", "failed", "cancelled"}


def beamline(settings: Settings, name: str) -> Beamline:
    """Return a beamline of the settings.

    Raises
    ------
    ConfigurationError
        There is none of this name.
    """
    for each in settings.beamlines:
        if each.id == name:
            return each
    known = ", ".join(each.id for each in settings.beamlines) or "none"
    raise ConfigurationError(f"No beamline {name!r} in the settings; there are: {known}.")


def ingest(engine: Engine, path: Path, rules: Beamline) -> list[Recorded]:
    """Enter what a path holds."""
    return triggers_ingest.ingest(engine, path, rules)


def wait_until_settled(engine: Engine, ids: Sequence[UUID], tell: Callable[[str], None]) -> None:
    """Wait until each dataset is reduced, or cannot be for now; tell how far it is."""
    while open_ones := [view for view in datasets_by_id(engine, ids) if not _settled(view)]:
        tell(", ".join(f"{view.name}: {_stage(view)}" for view in open_ones[:3]))
        time.sleep(0.3)


def _stage(view: DatasetSummary) -> str:
    return view.state if view.run is None else view.run.stage or view.run.state


def _settled(view: DatasetSummary) -> bool:
    if view.state in SETTLED or (view.kind == "calibration" and view.run is None):
        return True
    return view.run is not None and view.run.state in ENDED


def list_datasets(engine: Engine, limit: int, **wanted: Any) -> list[DatasetSummary]:
    """Return the newest datasets."""
    with Session(engine) as session:
        return queries.list_datasets(session, _filter(DatasetFilter, wanted), limit=limit).items


def datasets_by_id(engine: Engine, ids: Sequence[UUID]) -> list[DatasetSummary]:
    """Return datasets in the order of their ids."""
    with Session(engine) as session:
        found = [queries.dataset_detail(session, each) for each in ids]
    return [each for each in found if each is not None]


def detail(engine: Engine, named: str) -> DatasetDetail:
    """Return a dataset by its id or name.

    Raises
    ------
    NotFound
        There is none.
    """
    with Session(engine) as session:
        found = queries.dataset_detail(session, find(session, named))
    if found is None:
        raise NotFound(f"No dataset {named}.")
    return found


def list_runs(engine: Engine, limit: int, **wanted: Any) -> list[RunSummary]:
    """Return the newest runs."""
    with Session(engine) as session:
        return queries.list_runs(session, _filter(RunFilter, wanted), limit=limit).items


def request_run(engine: Engine, named: str, overrides: Sequence[str], reason: str) -> RunSummary:
    """Ask for a new version of a dataset's result.

    Raises
    ------
    CatalogError
        The parameters do not fit, or the dataset cannot be reduced.
    """
    actor = f"cli:{getpass.getuser()}"
    with Session(engine) as session, session.begin():
        dataset = find(session, named)
        run = runs.request_run(session, dataset, parameters(overrides), actor, reason)
        run_id = run.id
    with Session(engine) as session:
        found = queries.run_detail(session, run_id)
    if found is None:
        raise NotFound(f"Run {run_id} has vanished.")
    return found


def status(engine: Engine) -> Status:
    """Return how the platform stands."""
    with Session(engine) as session:
        return queries.status(session, disks=measure(queries.storages(session)))


def services(state: State) -> dict[str, dict[str, Any]]:
    """Return how each service stands; all are stopped when no supervisor holds the folder."""
    found = service_states(state)
    if not state.locked():
        return {name: {**each, "stage": "stopped", "pid": None} for name, each in found.items()}
    return found


def find(session: Session, named: str) -> UUID:
    """Return the id of a dataset that is given by its id or its name."""
    try:
        return UUID(named)
    except ValueError:
        pass
    by_name = select(Dataset.id).where(
        Dataset.name == named,
        Dataset.kind != "derived",
        # which has an index, and holds every name
        Dataset.search_text.contains(named.lower(), autoescape=True),
    )
    found = session.scalars(by_name.limit(2)).all()
    if len(found) == 1:
        return found[0]
    trouble = "Several datasets are" if found else "No dataset is"
    raise NotFound(f"{trouble} called {named!r}; `dayseye datasets --text {named}` has the ids.")


def parameters(given: Sequence[str]) -> dict[str, Any]:
    """Read ``key=value`` pairs; a value is JSON (a number, true, null), else a text."""
    parameters: dict[str, Any] = {}
    for each in given:
        key, equals, value = each.partition("=")
        if not equals or not key:
            raise CatalogError(f"--set {each!r} must look like key=value.")
        try:
            parameters[key] = json.loads(value)
        except ValueError:
            parameters[key] = value
    return parameters


def _filter(model: Any, wanted: dict[str, Any]) -> Any:
    try:
        return model(**{key: value for key, value in wanted.items() if value is not None})
    except ValidationError as error:
        detail = error.errors()[0]
        key = ".".join(str(part) for part in detail["loc"])
        raise CatalogError(f"--{key} {detail['input']}: {detail['msg']}.") from None
