"""The short way of phones' two questions answers as the ordinary way does, and leaves the rest to it."""

from __future__ import annotations

import sqlite3
from typing import Any

import psycopg
import pytest
from werkzeug.test import Client, TestResponse

from tests.conftest import whole_module_mostly_on
from tests.phone import Phone
from tests.world import PASS_TYPE, World
from wallet_server.actions.passes import devices
from wallet_server.errors import Unavailable
from wallet_server.records.operating.glance import Glance
from wallet_server.web.apple_lane import Lane

database_kind = whole_module_mostly_on("sqlite")

LIST = f"/apple/v1/devices/library-1/registrations/{PASS_TYPE}"


class Ways:
    """The two ways, side by side; `left` counts what the short way left to the other."""

    def __init__(self, world: World) -> None:
        self.left = 0
        flask = world.app.wsgi_app
        while not isinstance(flask, Lane):
            flask = flask._app  # type: ignore[attr-defined]
        self._ordinary = Client(flask._app)
        self._short = Client(Lane(self._leave(flask._app), lambda: world.ctx))

    def _leave(self, app: Any) -> Any:
        def counted(environ: Any, start: Any) -> Any:
            self.left += 1
            return app(environ, start)

        return counted

    def get(self, path: str, **headers: str) -> tuple[TestResponse, TestResponse]:
        """What each answers."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._ordinary.get(path, headers=sent), self._short.get(path, headers=sent)


def _same(ordinary: TestResponse, short: TestResponse) -> TestResponse:
    assert (short.status_code, short.data) == (ordinary.status_code, ordinary.data)
    # The framework takes an answer without a body for a page, and guards it as one.
    apart = {"X-Request-Id"} if short.data else {"X-Request-Id", "Content-Security-Policy"}
    headers = [{k: v for k, v in one.headers.items() if k not in apart} for one in (ordinary, short)]
    assert headers[0] == headers[1]
    assert short.headers["X-Request-Id"].startswith("req_")
    return short


def test_both_ways_answer_the_same(world: World) -> None:
    phone = Phone(world, world.enrol()).add()
    ways = Ways(world)
    path, auth = f"/apple/v1/passes/{PASS_TYPE}/{phone.holder.serial}", f"ApplePass {phone.holder.token}"
    first = _same(*ways.get(path, Authorization=auth))
    assert first.status_code == 200
    since = first.headers["Last-Modified"]
    assert _same(*ways.get(path, Authorization=auth, If_Modified_Since=since)).status_code == 304
    listed = _same(*ways.get(LIST))
    assert (listed.status_code, dict(listed.json or {})["serialNumbers"]) == (200, [phone.holder.serial])
    tag = dict(listed.json or {})["lastUpdated"]
    assert _same(*ways.get(f"{LIST}?passesUpdatedSince={tag}")).status_code == 204
    world.sell(phone.holder, 1000)
    world.work()
    assert _same(*ways.get(f"{LIST}?passesUpdatedSince={tag}")).status_code == 200
    assert _same(*ways.get(path, Authorization=auth, If_Modified_Since=since)).status_code == 200
    assert ways.left == 0


@pytest.mark.parametrize(
    "path",
    [
        f"/apple/v1/passes/{PASS_TYPE}/unknown",
        f"/apple/v1/passes/{PASS_TYPE}/",
        f"/apple/v1/passes/{PASS_TYPE}/a/b",
        f"{LIST}?passesUpdatedSince=1%2B1",
        f"{LIST}?other=1",
        "/apple/v1/passes/%C3%A9/x",
        "/health",
    ],
)
def test_the_rest_is_left_to_the_ordinary_way(world: World, path: str) -> None:
    ways = Ways(world)
    ordinary, short = ways.get(path, Authorization="ApplePass wrong")
    assert short.status_code == ordinary.status_code
    assert ways.left == 1


def test_a_caller_that_names_its_request_is_answered_by_that_name(world: World) -> None:
    phone = Phone(world, world.enrol()).add()
    _, short = Ways(world).get(
        f"/apple/v1/passes/{PASS_TYPE}/{phone.holder.serial}",
        Authorization=f"ApplePass {phone.holder.token}",
        X_Request_Id="mine-1",
    )
    assert (short.status_code, short.headers["X-Request-Id"]) == (200, "mine-1")


def test_a_database_that_is_away_is_told_as_such(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    phone = Phone(world, world.enrol()).add()

    def away(*_: Any, **__: Any) -> Any:
        raise Unavailable("The database cannot be read just now.")

    monkeypatch.setattr(Glance, "rows", away)
    _, short = Ways(world).get(
        f"/apple/v1/passes/{PASS_TYPE}/{phone.holder.serial}", Authorization=f"ApplePass {phone.holder.token}"
    )
    assert (short.status_code, dict(short.json or {})["code"]) == (503, "unavailable")
    assert short.headers["Retry-After"]


def test_a_database_that_is_away_is_a_503_for_till_and_phone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the pool has it: what the driver raises when there is nobody to connect to."""
    phone = Phone(world, world.enrol()).add()
    engine = world.ctx.database.engine
    away: Exception = psycopg.OperationalError("connection refused")
    if world.ctx.database.sqlite:
        away = sqlite3.OperationalError("unable to open database file")

    def nobody(*_given: object, **_named: object) -> None:
        raise away

    world.ctx.database.close()
    with monkeypatch.context() as patched:
        patched.setattr(engine.dialect, "connect", nobody)
        path = f"/apple/v1/passes/{PASS_TYPE}/{phone.holder.serial}"
        asked = world.client().get(path, headers={"Authorization": f"ApplePass {phone.holder.token}"})
        sold = world.client().post("/v1/sales", json={}, headers=world.bearer(world.founded.till_key, "k"))
    assert [(one.status_code, (one.json or {})["code"]) for one in (asked, sold)] == [(503, "unavailable")] * 2
    assert all(int(one.headers["Retry-After"]) > 0 for one in (asked, sold))


def test_whatever_goes_wrong_on_the_short_way_the_ordinary_way_answers(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways = Ways(world)

    def broken(*_given: object) -> None:
        raise LookupError("gone")

    monkeypatch.setattr(devices, "changed_since", broken)
    assert [one.status_code for one in ways.get(LIST)] == [500, 500]
    assert ways.left == 1
