"""What is left at the end, counted from the disk and the database."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from psutil import Process
from sqlalchemy import func, select

from catalog.models import Attempt, Dataset, DatasetFile, Dispatch, Run, Storage
from infra.prefect_server import auth_string
from tests.chaos.platform import Platform, alive
from tests.chaos.scans import Scan, sha256


@dataclass
class Count:
    """Sentences about what should not be; all empty when nothing was lost, nothing is twice."""

    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    half_written: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    old_processes: list[str] = field(default_factory=list)

    def parts(self) -> dict[str, list[str]]:
        """Return the sentences under their headings."""
        return {name.replace("_", " "): found for name, found in vars(self).items()}

    def is_clean(self) -> bool:
        """Tell whether all is well."""
        return not any(self.parts().values())


def waiting(platform: Platform, scans: Sequence[Scan]) -> int | None:
    """Return how many scans have no completed run yet; nothing while the database is away."""
    done = platform.ask(
        select(func.count(func.distinct(Dataset.uid)))
        .join(Run, Run.dataset_id == Dataset.id)
        .where(Run.state == "completed", Dataset.uid.in_([scan.uid for scan in scans]))
    )
    return len(scans) - done[0][0] if done else None


def count(
    platform: Platform,
    scans: Sequence[Scan],
    roots: Iterable[Path],
    doomed: Iterable[Process],
    catalogued: Sequence[Scan] = (),
) -> Count:
    """Compare what was brought with what the catalogue says and with what lies on the disk.

    Parameters
    ----------
    platform : Platform
        It runs, and has nothing more to do.
    scans : sequence of Scan
        All that were brought.
    roots : iterable of Path
        Where results go.
    doomed : iterable of Process
        Those that should be gone.
    catalogued : sequence of Scan
        Those that were brought too, to be entered and not to be reduced.
    """
    result = Count()
    _count_datasets(platform, scans, catalogued, result)
    _count_files(platform, list(roots), result)
    result.unfinished = unfinished(platform)
    result.old_processes = [f"{each.pid} {each.cmdline()}" for each in alive(doomed)]
    return result


def _count_datasets(
    platform: Platform, scans: Sequence[Scan], catalogued: Sequence[Scan], result: Count
) -> None:
    raws = defaultdict(list)
    for (dataset,) in platform.read(select(Dataset).where(Dataset.kind == "raw")):
        raws[dataset.uid].append(dataset)
    runs = _by(platform, select(Run), "dataset_id")
    attempts = _by(platform, select(Attempt).where(Attempt.state == "completed"), "run_id")
    derived = _by(platform, select(Dataset).where(Dataset.kind == "derived"), "source_id")
    for scan in scans:
        name = f"{scan.path.parent.name}/{scan.path.name}"
        found = raws.pop(scan.uid, [])
        mine = [run for raw in found for run in runs[raw.id]]
        results = [each for raw in found for each in derived[raw.id]]
        done = [run for run in mine if run.state == "completed" and len(attempts[run.id]) == 1]
        current = [each for each in results if each.is_current]
        told = ", ".join(f"{each.state} {each.state_reason or ''}" for each in (*found, *mine))
        if not (done and current):
            result.lost.append(f"{name}: {told or 'the catalogue does not know it'}")
        if len(found) > 1 or len(mine) > 1 or len(results) > 1:
            result.duplicated.append(
                f"{name}: {len(found)} datasets, {len(mine)} runs, {len(results)} results: {told}"
            )
        if not scan.path.exists() or scan.digest not in (None, sha256(scan.path)):
            result.lost.append(f"{name}: its raw file is not what it was")
    for scan in catalogued:
        found = raws.pop(scan.uid, [])
        if [each.state for each in found] != ["validated"] or any(runs[each.id] for each in found):
            told = ", ".join(f"{each.state}, {len(runs[each.id])} runs" for each in found)
            place = result.duplicated if found else result.lost
            place.append(f"{scan.path.name}: {told or 'the catalogue does not know it'}")
    for uid, found in raws.items():
        result.duplicated.append(f"{found[0].name} (uid {uid}) was never brought")


def _count_files(platform: Platform, roots: list[Path], result: Count) -> None:
    rows = platform.read(
        select(DatasetFile, Storage.root)
        .join(Storage, Storage.id == DatasetFile.storage_id)
        .join(Dataset, Dataset.id == DatasetFile.dataset_id)
        .where(Dataset.kind == "derived")
    )
    entered = Counter(Path(root) / file.path for file, root in rows)
    on_disk = {path for root in roots for path in root.rglob("*") if path.is_file()}
    for file, root in rows:
        path = Path(root) / file.path
        if path not in on_disk:
            result.lost.append(f"{path} is in the catalogue and not on the disk")
        elif file.digest.removeprefix("sha256:") != sha256(path):
            result.half_written.append(f"{path} is not what the catalogue says")
    result.half_written += [
        f"{path} is on the disk and not in the catalogue" for path in sorted(on_disk - set(entered))
    ]
    partial = (path for root in roots for path in root.rglob("*.partial"))
    result.half_written += [f"{path} was left" for path in partial]
    result.duplicated += [
        f"{path} is entered twice" for path, times in entered.items() if times > 1
    ]


def unfinished(platform: Platform) -> list[str]:
    """Return what the platform still has to do."""
    open_runs = ("waiting", "running")
    left = {
        "attempts still run": select(func.count()).where(Attempt.state == "running"),
        "runs have not ended": select(func.count()).where(Run.state.in_(open_runs)),
        "dispatches were not sent": select(func.count())
        .select_from(Dispatch)
        .join(Run, Run.id == Dispatch.run_id)
        .where(Dispatch.sent_at.is_(None), Run.state == "waiting"),
    }
    found = {name: platform.ask(statement) for name, statement in left.items()}
    return [
        f"{rows[0][0] if rows else '?'} {name}" for name, rows in found.items() if rows != [(0,)]
    ]


def in_prefect(platform: Platform) -> list[str]:
    """Return what Prefect believes is still to be done: a flow run without a process, for one."""
    addresses = platform.life.addresses
    user, _, password = auth_string(addresses.state).partition(":")
    states = {"any_": ["SCHEDULED", "PENDING", "RUNNING", "CANCELLING"]}
    try:
        answer = httpx.post(
            f"{addresses.prefect_api_url}/flow_runs/count",
            json={"flow_runs": {"state": {"type": states}}},
            auth=(user, password),
            timeout=30,
        )
    except httpx.TransportError as error:
        return [f"Prefect does not answer: {error}"]
    number = answer.raise_for_status().json()
    return [f"{number} flow runs have not ended in Prefect"] if number else []


def _by(platform: Platform, statement, name: str):
    found = defaultdict(list)
    for (row,) in platform.read(statement):
        found[getattr(row, name)].append(row)
    return found
