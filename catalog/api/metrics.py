"""Figures for Prometheus: the catalogue's state when asked, and how fast requests are answered."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from catalog.api.health import get_status
from catalog.api.security import OperatorDep
from catalog.api.service import ServiceDep
from catalog.queries import BeamlineState, Status

router = APIRouter(tags=["platform"])


class Latency:
    """Times every request, by route and not by address, so that the series stay few."""

    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        self.app = app
        self.histogram = Histogram(
            "dayseye_http_request_seconds",
            "Time to answer a request",
            ["method", "route", "status"],
            registry=registry,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = 500
        began = time.perf_counter()

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            label = self.histogram.labels(scope["method"], route, str(status))
            label.observe(time.perf_counter() - began)


class CatalogueFigures(Collector):
    """The state of the catalogue at one moment."""

    def __init__(self, status: Status) -> None:
        self.status = status

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges."""
        status = self.status
        yield _by("dayseye_datasets", "Datasets by state", "state", status.datasets)
        yield _by("dayseye_runs", "Runs by state", "state", status.runs)
        yield GaugeMetricFamily(
            "dayseye_outbox_depth", "Dispatches that Prefect has not taken yet", value=status.outbox
        )
        yield GaugeMetricFamily(
            "dayseye_outbox_oldest_seconds",
            "Age of the oldest dispatch that Prefect has not taken yet, 0 when there is none",
            value=status.outbox_oldest_seconds or 0.0,
        )
        free = {disk.storage: disk.free for disk in status.disks}
        yield _by("dayseye_disk_free_bytes", "Free room on a storage", "storage", free)
        for name, help_text, value in (
            ("dayseye_inbox_waiting", "Reports of arrivals not looked at yet", status.inbox),
            ("dayseye_copies_damaged", "Copies whose bytes have changed", status.copies_damaged),
            ("dayseye_alarms", "Events of the last 24 hours that need a person", status.alarms),
            ("dayseye_notifications_waiting", "Messages not sent yet", status.notifications),
            (
                "dayseye_dispatches_held",
                "Dispatches that are due and wait for something: a pause, room, their lane",
                sum(reason.dispatches for reason in status.waits_for),
            ),
        ):
            yield GaugeMetricFamily(name, help_text, value=value)
        yield from _beamlines(status.beamlines)
        yield from _triggers(status.beamlines)


def _beamlines(beamlines: list[BeamlineState]) -> Iterator[GaugeMetricFamily]:
    paused = {each.id: int(each.paused_at is not None) for each in beamlines}
    yield _by("dayseye_beamline_paused", "1 while nothing is dispatched", "beamline", paused)
    backlog = {each.id: each.backlog for each in beamlines}
    yield _by("dayseye_beamline_backlog", "Runs that have not started", "beamline", backlog)
    running = {each.id: each.running for each in beamlines}
    yield _by("dayseye_beamline_running", "Runs at work", "beamline", running)
    newest = {each.id: each.last_arrival.timestamp() for each in beamlines if each.last_arrival}
    yield _by(
        "dayseye_beamline_last_arrival_timestamp_seconds",
        "When the newest dataset was registered",
        "beamline",
        newest,
    )


def _triggers(beamlines: list[BeamlineState]) -> Iterator[Metric]:
    labels = ["beamline", "kind"]
    well = GaugeMetricFamily("dayseye_trigger_listening", "1 while it listens", labels=labels)
    heard = GaugeMetricFamily(
        "dayseye_trigger_heard_timestamp_seconds", "When it was last heard of", labels=labels
    )
    arrivals = CounterMetricFamily("dayseye_trigger_arrivals", "Announced by it", labels=labels)
    refused = CounterMetricFamily("dayseye_trigger_refused", "Messages not taken", labels=labels)
    for beamline in beamlines:
        for trigger in beamline.triggers:
            name = [beamline.id, trigger.kind]
            arrivals.add_metric(name, trigger.arrivals)
            refused.add_metric(name, trigger.refused)
            if trigger.state != "off":
                well.add_metric(name, int(trigger.state == "listening"))
            if trigger.heard_at:
                heard.add_metric(name, trigger.heard_at.timestamp())
    yield from (well, heard, arrivals, refused)


def _by(name: str, help_text: str, label: str, counts: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, help_text, labels=[label])
    for value, count in counts.items():
        family.add_metric([value], count)
    return family


@router.get("/metrics", response_class=PlainTextResponse)
def get_metrics(request: Request, service: ServiceDep, viewer: OperatorDep) -> Response:
    """Return the figures in Prometheus's text format."""
    status = get_status(service, viewer)
    now = CollectorRegistry()
    now.register(CatalogueFigures(status))
    latencies: CollectorRegistry = request.app.state.latencies
    return Response(
        generate_latest(now) + generate_latest(latencies), media_type=CONTENT_TYPE_LATEST
    )
