"""Owns `GET /metrics`: the figures in Prometheus' text format, for whoever has the token; and counting answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from flask import Blueprint, Flask, Response, g, request

from wallet_server.actions.operating import metrics as measured
from wallet_server.actions.operating.metrics import MOST_COUNTED, Figures
from wallet_server.web.lazily import lazily
from wallet_server.web.rendering import context

if TYPE_CHECKING:
    import prometheus_client
    from prometheus_client.metrics_core import Metric
else:
    # It brings servers and bridges of its own; an installation without a token never needs it.
    prometheus_client = lazily("prometheus_client")

metrics = Blueprint("metrics", __name__)

SERVED, UNCHANGED, SALES = "passes:served", "passes:unchanged", "sales"
COUNTED = {
    ("GET", "/apple/v1/passes/<pass_type>/<serial>", 200): SERVED,
    ("GET", "/apple/v1/passes/<pass_type>/<serial>", 304): UNCHANGED,
    ("POST", "/v1/sales", 200): SALES,
}
"""Answers that are counted, by method, route and status."""
MOST_TOKEN = 1000


def install(app: Flask) -> None:
    """Serve the figures, and count."""
    app.register_blueprint(metrics)
    app.after_request(_count)


def _count(response: Response) -> Response:
    rule = request.url_rule
    if rule is not None:
        name = COUNTED.get((request.method, rule.rule, response.status_code))
        # What is practised (X-Training) is answered as in earnest, and nothing of it was sold.
        if name is not None and "Idempotency-Replayed" not in response.headers and "rehearsal" not in g:
            context().tally.add(name)
    return response


@metrics.get("/metrics")
def show() -> Response:
    """Every figure; 404 where WALLET_METRICS_TOKEN is not set."""
    ctx = context()
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    measured.admit(ctx, token.strip()[:MOST_TOKEN] if scheme.lower() == "bearer" else "")
    found = measured.figures(ctx)
    registry = prometheus_client.CollectorRegistry(auto_describe=False)
    registry.register(_Shown(found))
    body = prometheus_client.generate_latest(registry)
    return Response(body, content_type=prometheus_client.CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"})


class _Shown:
    """Implements prometheus_client's collector over figures that are known already."""

    def __init__(self, found: Figures) -> None:
        self._found = found

    def collect(self) -> Iterable[Metric]:
        yield from _gauges(self._found)
        yield from _totals(self._found)


def _gauges(found: Figures) -> Iterator[Metric]:
    gauge = prometheus_client.metrics_core.GaugeMetricFamily
    days = gauge(
        "wallet_certificate_days_left",
        "Days until a pass certificate ends; below zero it is over.",
        labels=["set", "pass_type"],
    )
    for one in found.certificates:
        days.add_metric([one.public_id, one.pass_type], one.left)
    yield days
    jobs = gauge(
        "wallet_outbox_jobs",
        f"Jobs of the outbox; {MOST_COUNTED} stands for that many or more.",
        labels=["lane", "state"],
    )
    age = gauge("wallet_outbox_age_seconds", "How long the oldest job has been due.", labels=["lane"])
    for queue in found.queues:
        jobs.add_metric([queue.lane, "due"], queue.due)
        jobs.add_metric([queue.lane, "waiting"], queue.waiting)
        age.add_metric([queue.lane], queue.age_seconds)
    yield jobs
    yield age
    yield gauge("wallet_dead_jobs", f"Jobs that were given up; {MOST_COUNTED} stands for more.", value=found.dead)


def _totals(found: Figures) -> Iterator[Metric]:
    counter = prometheus_client.metrics_core.CounterMetricFamily
    pushes = counter("wallet_pushes", "Phones that were to be rung, by what came of it.", labels=["outcome"])
    for outcome, count in found.pushes.items():
        pushes.add_metric([outcome], count)
    yield pushes
    passes = counter("wallet_passes", "Cards that phones asked for: sent, or unchanged (304).", labels=["answer"])
    for answer, count in found.passes.items():
        passes.add_metric([answer], count)
    yield passes
    yield counter("wallet_sales", "Sales that were counted, replays left out.", value=found.sales)
