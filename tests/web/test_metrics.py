"""The figures for Prometheus: told to whoever has the token, true over several processes, cheap on a full outbox."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from tests.world import World
from wallet_server.actions.tally import Tally
from wallet_server.app import create_app
from wallet_server.errors import Unavailable
from wallet_server.records import jobs
from wallet_server.records.operating import counters, gauges
from wallet_server.records.schema import jobs as table

TOKEN = "a long token of many letters"


@contextmanager
def served(world: World) -> Iterator[Flask]:
    """The application over the world's own context."""
    app = create_app(replace(world.ctx.settings, metrics_token=TOKEN))
    app.extensions["wallet"].database.close()
    world.ctx.settings = replace(world.ctx.settings, metrics_token=TOKEN)
    app.extensions["wallet"] = world.ctx
    yield app


def read(client: FlaskClient) -> dict[str, float]:
    """Every sample, by its name and labels."""
    page = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert page.status_code == 200
    assert page.content_type.startswith("text/plain; version=")
    return {
        sample.name + "".join(f" {label}={value}" for label, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page.get_data(as_text=True))
        for sample in family.samples
    }


def test_nobody_is_told_without_the_token(world: World) -> None:
    with served(world) as app:
        client = app.test_client()
        for header in ({}, {"Authorization": TOKEN}, {"Authorization": "Bearer"}, {"Authorization": "Bearer é" * 400},
                       {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": f"Basic {TOKEN}"}):  # fmt: skip
            answer = client.get("/metrics", headers=header)
            assert (answer.status_code, b"wallet_" in answer.data) == (401, False)
        world.ctx.settings = replace(world.ctx.settings, metrics_token=None)
        off = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert off.status_code == 404


def test_what_happened_is_counted_once_and_by_every_process_together(world: World) -> None:
    holder = world.enrol()
    with served(world) as app:
        client = app.test_client()
        before = read(client)
        path = f"/apple/v1/passes/{world_pass_type(world)}/{holder.serial}"
        header = {"Authorization": f"ApplePass {holder.token}"}
        got = client.get(path, headers=header)
        assert got.status_code == 200
        known = header | {"If-Modified-Since": got.headers["Last-Modified"]}
        assert [client.get(path, headers=known).status_code for _ in range(2)] == [304, 304]
        assert client.get(path, headers={"Authorization": "ApplePass wrong"}).status_code == 401
        elsewhere = Tally()  # what another process has seen
        elsewhere.add("passes:served", 40)
        elsewhere.hand_in(world.ctx.database)
        after = read(client)
    assert after["wallet_passes_total answer=served"] - before["wallet_passes_total answer=served"] == 41
    assert after["wallet_passes_total answer=unchanged"] - before["wallet_passes_total answer=unchanged"] == 2
    days = [value for name, value in after.items() if name.startswith("wallet_certificate_days_left")]
    assert len(days) == 1
    assert 300 < days[0] <= 366


def world_pass_type(world: World) -> str:
    with world.ctx.look() as tx:
        return gauges.certificates(tx)[0].pass_type


def test_sales_are_counted_and_neither_replays_nor_what_is_practised(world: World) -> None:
    holder = world.enrol()
    sale = {"code": holder.code, "receipt": "R-1", "currency": "EUR", "amount_minor": 500}
    sale["lines"] = [{"unit_amount_minor": 500}]  # type: ignore[assignment]
    with served(world) as app:
        client = app.test_client()
        header = {"Authorization": f"Bearer {world.founded.till_key}"}
        answers = [client.post("/v1/sales", json=sale, headers=header) for _ in range(3)]
        assert [one.status_code for one in answers] == [200] * 3, answers[0].get_data(as_text=True)
        practised = client.post("/v1/sales", json={**sale, "receipt": "R-2"}, headers=header | {"X-Training": "1"})
        assert (practised.status_code, practised.json["training"]) == (200, True)
        assert read(client)["wallet_sales_total"] == 1


def test_the_outbox_is_measured_by_lane_with_its_age_and_its_dead(world: World) -> None:
    now = world.clock.at
    with world.ctx.change() as tx:
        tx.execute(sa.delete(table))
        wishes = [
            jobs.Put("refresh", str(n), lane, now - timedelta(seconds=10 * lane))
            for lane in (0, 1)
            for n in range(lane * 10, lane * 10 + 3)
        ]
        jobs.put(tx, [*wishes, jobs.Put("refresh", "later", 2, now + timedelta(hours=1))])
        tx.execute(sa.update(table).where(table.c.key == "0").values(dead_at=1))
    with served(world) as app:
        found = read(app.test_client())
    assert found["wallet_dead_jobs"] == 1
    assert found["wallet_outbox_jobs lane=counter state=due"] == 2
    assert found["wallet_outbox_jobs lane=service state=due"] == 3
    assert found["wallet_outbox_jobs lane=bulk state=waiting"] == 1
    assert found["wallet_outbox_age_seconds lane=service"] == pytest.approx(10, abs=1)
    assert found["wallet_outbox_age_seconds lane=bulk"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_no_figure_walks_a_full_outbox(world: World) -> None:
    def steps() -> int:
        """How many instructions of its own machine SQLite spends on all figures."""
        count = 0

        def tick() -> int:
            nonlocal count
            count += 1
            return 0

        with world.ctx.look() as tx:
            raw = tx.connection.driver_connection
            assert raw is not None
            raw.set_progress_handler(tick, 100)
            gauges.depths(tx, world.clock.at)
            gauges.dead(tx)
            raw.set_progress_handler(None, 0)
        return count

    def fill(first: int, last: int) -> None:
        due = world.clock.at - timedelta(hours=1)
        with world.ctx.change() as tx:
            jobs.put(tx, [jobs.Put("refresh", str(n), 2, due) for n in range(first, last)])

    fill(0, gauges.MOST_COUNTED + 500)
    few = steps()
    fill(gauges.MOST_COUNTED + 500, 3 * gauges.MOST_COUNTED)
    assert steps() < few * 1.1
    with world.ctx.look() as tx:
        assert gauges.depths(tx, world.clock.at)[2].due == gauges.MOST_COUNTED


def test_figures_wait_for_a_database_that_is_away_and_are_not_lost(world: World) -> None:
    tally = Tally()
    tally.add("sales", 3)

    class Away:
        def change(self) -> None:
            raise Unavailable("The database is away.")

    tally.hand_in(Away())  # type: ignore[arg-type]
    tally.add("sales")
    tally.hand_in(world.ctx.database)
    tally.hand_in(world.ctx.database)
    with world.ctx.look() as tx:
        assert counters.totals(tx)["sales"] == 4
