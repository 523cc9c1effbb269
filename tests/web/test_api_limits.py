"""How many requests a key has in a minute, over all processes together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import whole_module_mostly_on
from tests.world import World, founded

database_kind = whole_module_mostly_on("sqlite")


@pytest.fixture
def limited(database_url: str, tmp_path: Path) -> Iterator[World]:
    """Ten requests a minute for each key."""
    with founded(database_url, tmp_path, requests_per_minute=10) as made:
        yield made


def test_a_key_has_so_many_requests_a_minute_over_all_processes_and_is_told_how_many_are_left(limited: World) -> None:
    world = limited
    headers = world.bearer(world.founded.merchant_key)
    answers = [world.client().get("/v1/stores", headers=headers) for _ in range(7)]
    assert [answer.headers["RateLimit-Remaining"] for answer in answers] == [str(n) for n in range(9, 2, -1)]
    assert {answer.headers["RateLimit-Limit"] for answer in answers} == {"10"}
    second = World(**{name: getattr(world, name) for name in world.__dataclass_fields__})  # another process
    answers = [second.client().get("/v1/stores", headers=headers) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 3 + [429] * 3
    refused = answers[-1]
    assert refused.json["code"] == "too-many-requests"
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert refused.headers["RateLimit-Remaining"] == "0"
    other = world.client().post("/v1/lookups", json={"code": "x"}, headers=world.bearer(world.founded.till_key))
    assert other.status_code == 400  # another key has its own
    world.clock.forward(seconds=60)
    assert world.client().get("/v1/stores", headers=headers).status_code == 200


def test_whoever_is_over_the_limit_writes_nothing_more(limited: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world = limited
    headers, client = world.bearer(world.founded.merchant_key), world.client()
    for _ in range(11):
        client.get("/v1/stores", headers=headers)
    writes: list[int] = []
    change = world.ctx.database.change
    monkeypatch.setattr(world.ctx.database, "change", lambda: (writes.append(1), change())[1])
    assert {client.get("/v1/stores", headers=headers).status_code for _ in range(20)} == {429}
    assert writes == []
