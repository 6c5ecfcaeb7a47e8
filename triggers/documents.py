"""Bluesky documents as reports: each run is one, and grows with every document of it.

Documents may come twice, in any order, or never. So nothing here counts on another document; what
is known of a run is put together anew whenever something is added to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from triggers.document_fields import Document, aborted_because, about_start, is_list, text_of, whole
from triggers.reports import RefusedError, Report, local_path

Value = TypeVar("Value")

NAMES = frozenset(
    (
        *("start", "stop", "descriptor", "event", "event_page", "bulk_events", "bulk_datum"),
        *("datum", "datum_page", "resource", "stream_resource", "stream_datum"),
    )
)
RUNS = 200
PARTS = 5000
STATUS = {"success": "finished", "abort": "aborted", "fail": "aborted"}


@dataclass
class Resource:
    """A file, or folder of files, that a detector writes in a run."""

    run: str | None = None
    path: str | None = None
    data_key: str | None = None
    frames_per_datum: int = 1
    indices: int = 0
    descriptor: str | None = None
    datums: set[str] = field(default_factory=set[str])


@dataclass
class Run:
    """What is known of one run."""

    uid: str
    start: Document = field(default_factory=dict[str, Any])
    stop: Document | None = None
    resources: dict[str, Resource] = field(default_factory=dict[str, Resource])
    reported: Report | None = None


class Documents:
    """
    Makes reports out of documents.

    Parameters
    ----------
    names
        Beginnings of paths as the acquisition says them, and what they are here.
    """

    def __init__(self, names: Mapping[str, str] | None = None) -> None:
        self._names = dict(names or {})
        self._runs: dict[str, Run] = {}
        self._descriptors: dict[str, Document] = {}
        self._resources: dict[str, Resource] = {}

    def take(self, name: str, document: Document) -> Report | None:
        """
        Take a document.

        Returns
        -------
        What is known of its run now, if this document added something worth telling.

        Raises
        ------
        RefusedError
            It is no document of Bluesky's event model.
        """
        if name not in NAMES:
            raise RefusedError("name", f"There is no kind of document called {name[:40]!r}")
        handler = getattr(self, f"_{name}", None)
        run = handler(document) if handler else None  # events hold no paths
        if run is None:
            return None
        report = self._report(run)
        if report == run.reported:
            return None
        run.reported = report
        return report

    # -- documents: each returns the run that it may have changed -----------------------------

    def _start(self, document: Document) -> Run:
        run = self._run(text_of(document, "uid"))
        run.start = document
        return run

    def _stop(self, document: Document) -> Run:
        run = self._run(text_of(document, "run_start"))
        run.stop = document
        return run

    def _descriptor(self, document: Document) -> Run:
        run = self._run(text_of(document, "run_start"))
        descriptor = text_of(document, "uid")
        keep(self._descriptors, descriptor, {"run": run.uid, **document}, PARTS)
        for uid, resource in self._resources.items():
            if resource.descriptor == descriptor:
                self._attach(uid, resource, run)
        return run

    def _resource(self, document: Document) -> Run | None:
        root, path = str(document.get("root") or ""), text_of(document, "resource_path")
        kind = PureWindowsPath if document.get("path_semantics") == "windows" else PurePosixPath
        resource = self._part(text_of(document, "uid"))
        resource.path = local_path(
            str(kind(root) / path.lstrip("/") if root else path), self._names
        )
        words = document.get("resource_kwargs")
        if isinstance(words, Mapping):
            resource.frames_per_datum = whole(words.get("frame_per_point")) or 1
        return self._found(document, resource)

    def _stream_resource(self, document: Document) -> Run | None:
        resource = self._part(text_of(document, "uid"))
        uri = document.get("uri")
        if isinstance(uri, str):
            resource.path = self._path(uri)
        elif "resource_path" in document:  # as event-model had it before 1.21
            return self._resource(document)
        resource.data_key = str(document.get("data_key") or "")
        return self._found(document, resource)

    def _stream_datum(self, document: Document) -> Run | None:
        uid = text_of(document, "stream_resource")
        resource = self._part(uid)
        indices = document.get("indices")
        stop = whole(indices.get("stop")) if isinstance(indices, Mapping) else None
        resource.indices = max(resource.indices, stop or 0)
        resource.descriptor = text_of(document, "descriptor")
        described = self._descriptors.get(resource.descriptor)
        if resource.run is None and described is not None:
            self._attach(uid, resource, self._run(described["run"]))
        return self._if_over(resource)

    def _datum(self, document: Document) -> Run | None:
        resource = self._part(text_of(document, "resource"))
        resource.datums.add(text_of(document, "datum_id"))
        return self._if_over(resource)

    def _datum_page(self, document: Document) -> Run | None:
        resource = self._part(text_of(document, "resource"))
        datums = document.get("datum_id")
        if not isinstance(datums, list | tuple):
            raise RefusedError("field", "A datum_page document has no list 'datum_id'")
        resource.datums.update(str(datum) for datum in datums)
        return self._if_over(resource)

    # -- what belongs together ---------------------------------------------------------------

    def _run(self, uid: str) -> Run:
        return keep(self._runs, uid, self._runs.pop(uid, None) or Run(uid), RUNS)

    def _part(self, uid: str) -> Resource:
        return keep(self._resources, uid, self._resources.pop(uid, None) or Resource(), PARTS)

    def _found(self, document: Document, resource: Resource) -> Run | None:
        """Find the run of a resource; old documents do not name it."""
        uid = document.get("run_start") or resource.run
        if not isinstance(uid, str):
            going = [run.uid for run in self._runs.values() if run.stop is None]
            if len(going) != 1:
                return None  # its frames, or their descriptor, will tell
            uid = going[0]
        return self._attach(text_of(document, "uid"), resource, self._run(uid))

    def _attach(self, uid: str, resource: Resource, run: Run) -> Run:
        resource.run = run.uid
        run.resources[uid] = resource
        return run

    def _if_over(self, resource: Resource) -> Run | None:
        """Return the run if its end is known: before, every frame would be news."""
        run = self._runs.get(resource.run or "")
        is_new = run is not None and (run.stop is not None or run.reported is None)
        return run if is_new else None

    def _path(self, uri: str) -> str | None:
        parts = urlsplit(uri)
        if parts.scheme not in ("file", ""):
            return None
        path = unquote(parts.path)
        return local_path(path[1:] if re.match(r"/[A-Za-z]:/", path) else path, self._names)

    # -- reports -----------------------------------------------------------------------------

    def _report(self, run: Run) -> Report:
        named = run.start.get("files")
        listed = [each for each in named if isinstance(each, str)] if is_list(named) else []
        paths = [local_path(each, self._names) for each in listed]
        paths += [each.path for each in run.resources.values() if each.path]
        payload = {"uid": run.uid, "stage": "started", **about_start(run.start)}
        if run.stop is not None:
            status = str(run.stop.get("exit_status"))
            payload["stage"] = STATUS.get(status, "finished")
            if payload["stage"] == "aborted":
                payload["reason"] = aborted_because(status, run.stop.get("reason"))
            elif "expected_frames" not in payload and (frames := self._frames(run)):
                payload["expected_frames"] = frames
        return Report(run.uid, tuple(dict.fromkeys(paths)), payload)

    def _frames(self, run: Run) -> int | None:
        """Count the frames that the documents tell of, if they all are in one place."""
        counts: dict[str, int] = {}
        for each in run.resources.values():
            if each.path and (count := self._count(each)):
                counts[each.path] = max(counts.get(each.path, 0), count)
        return next(iter(counts.values())) if len(counts) == 1 else None

    def _count(self, resource: Resource) -> int:
        if resource.datums:
            return len(resource.datums) * resource.frames_per_datum
        described = self._descriptors.get(resource.descriptor or "", {}).get("data_keys")
        key = described.get(resource.data_key) if isinstance(described, Mapping) else None
        shape = key.get("shape") if isinstance(key, Mapping) else None
        if not is_list(shape) or len(shape) < 2:
            return 0  # numbers that were written beside the frames
        each = whole(shape[0]) if len(shape) > 2 else 1
        return resource.indices * (each or 1)


def keep(table: dict[str, Value], key: str, value: Value, limit: int) -> Value:
    """Put a value at the end of a table, from whose begin the oldest leave."""
    table.pop(key, None)
    table[key] = value
    while len(table) > limit:
        del table[next(iter(table))]
    return value
