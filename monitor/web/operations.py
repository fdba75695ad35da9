"""For those who keep it running: health, metrics, and the page that describes the API."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import jinja2
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from alerts.text import plain
from jobs.schedule import LastRun
from monitor.web import questions
from monitor.web.site import Site
from monitor.web.view import render
from warehouse.errors import WarehouseError
from warehouse.published.browsing import Browsing


class Operations:
    """The routes, over one site."""

    def __init__(self, site: Site, pages: jinja2.Environment, collectors: Sequence[Collector] = ()) -> None:
        self.site = site
        self.pages = pages
        self.registry = CollectorRegistry(auto_describe=False)
        for collector in (_Published(site), *collectors):
            self.registry.register(collector)
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)

    def router(self) -> APIRouter:
        """`/healthz`, `/metrics` and `/docs`."""
        routes = APIRouter(include_in_schema=False)
        routes.add_api_route("/healthz", self.healthz)
        routes.add_api_route("/metrics", self.metrics)
        routes.add_api_route("/docs", self.docs)
        return routes

    def healthz(self) -> Response:
        """200 when all is well, else 503, with why."""
        health = self.site.health()
        said = {
            "status": "ok" if health.ok else "failing",
            "reasons": list(health.reasons),
            "notes": list(health.notes),
            "last_complete": health.last_complete.isoformat() if health.last_complete else None,
            "version": self.site.version,
        }
        return JSONResponse(said, 200 if health.ok else 503, headers={"cache-control": "no-store"})

    def metrics(self) -> Response:
        """Everything as Prometheus reads it."""
        return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)

    def docs(self, request: Request) -> HTMLResponse:
        """The API, described for people."""
        with self.site.published.browsing() as browsing:
            relations = questions.relations(browsing.described())
        paths: dict[str, Any] = request.app.openapi()["paths"]
        return render(
            self.site,
            self.pages,
            request,
            "docs.html",
            paths=[(path, _described(methods["get"])) for path, methods in paths.items()],
            relations=relations,
        )


def _described(method: dict[str, Any]) -> dict[str, Any]:
    """What the page shows of a path; the summary is only the function's name, its docstring the description."""
    return {"summary": method.get("description", ""), "description": "", "parameters": method.get("parameters", [])}


class _Published(Collector):
    """What the published file says, worked out when asked for."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def collect(self) -> Iterable[Metric]:
        """Every metric with its values."""
        yield InfoMetricFamily("leadchange_build", "The program", value={"version": self.site.version})
        health = self.site.health()
        yield GaugeMetricFamily("leadchange_healthy", "1 when /healthz answers 200", value=float(health.ok))
        try:
            with self.site.published.browsing() as browsing:
                yield from _counted(browsing)
        except WarehouseError:
            return


class Jobs(Collector):
    """When each of the daemon's jobs last ended, and how; `last` has what is known of them."""

    def __init__(self, last: Callable[[], Mapping[str, LastRun | None]]) -> None:
        self.last = last

    def collect(self) -> Iterable[Metric]:
        """Two metrics with a value for each job that has ended once."""
        ended = GaugeMetricFamily("leadchange_job_end_timestamp_seconds", "When a job last ended", labels=["job"])
        went_well = GaugeMetricFamily("leadchange_job_ok", "1 when a job's last run went well", labels=["job"])
        for job, run in sorted(self.last().items()):
            if run is not None and run.ended_at is not None:
                ended.add_metric([job], run.ended_at.timestamp())
                went_well.add_metric([job], float(run.ok))
        return ended, went_well


def _counted(browsing: Browsing) -> Iterator[Metric]:
    for kind, name, meaning, labels, question in _METRICS:
        family = kind(name, meaning, labels=labels)
        for *names, value in browsing.counted(question):
            family.add_metric([plain(str(label), 100) for label in names], float(value))
        yield family


_METRICS: tuple[tuple[type[CounterMetricFamily | GaugeMetricFamily], str, str, list[str], str], ...] = (
    (
        GaugeMetricFamily,
        "leadchange_last_complete_snapshot_timestamp_seconds",
        "When a source was last read completely",
        ["source"],
        "last_complete_times",
    ),
    (
        CounterMetricFamily,
        "leadchange_snapshots",
        "Looks at a source, by verdict",
        ["source", "verdict"],
        "snapshots_counted",
    ),
    (GaugeMetricFamily, "leadchange_deliveries", "Deliveries, by status", ["status"], "deliveries_counted"),
    (GaugeMetricFamily, "leadchange_alerts", "Alerts, by state", ["state"], "alerts_counted"),
    (GaugeMetricFamily, "leadchange_flips", "Flips on record", ["board", "kind"], "flips_by_board"),
    (GaugeMetricFamily, "leadchange_board_value", "Value of the first places", ["board", "entity"], "board_values_top"),
    (GaugeMetricFamily, "leadchange_board_rank", "Rank of the first places", ["board", "entity"], "board_ranks_top"),
)
