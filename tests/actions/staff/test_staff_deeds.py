"""Owns what is known about who did what: each act is noted with its person, in the shop's own book."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.actions.staff.test_staff_sign_in import HOME, hire, with_app
from tests.actions.staff.test_staff_team import invited, joined, owner
from tests.conftest import NewDatabase
from tests.world import World, founded
from wallet_server.actions.announcing import offers
from wallet_server.actions.counter import pairing
from wallet_server.actions.programme import programs
from wallet_server.actions.staff import CASHIER, MARKETER, OWNER, deeds, links, sign_in, team
from wallet_server.records.scope import Scope

pytestmark = pytest.mark.usefixtures("cheap_passwords")


@pytest.fixture
def world(new_database: NewDatabase, tmp_path: Path) -> Iterator[World]:
    """A merchant, on SQLite."""
    with founded(new_database("sqlite"), tmp_path) as made:
        yield made


def told(world: World, scope: Scope | None = None) -> list[tuple[str, str | None, str | None, str | None]]:
    """(what, who, whom, detail), the oldest first."""
    listed, _ = deeds.history(world.ctx, scope or world.merchant, None)
    return [(one.what, one.who or one.by, one.whom, one.detail) for one in reversed(listed)]


def test_what_is_done_to_the_team_is_noted_with_its_person(world: World) -> None:
    marie = owner(world)
    zoe = joined(world, marie, MARKETER)
    invited(world, marie)
    team.take_back(world.ctx, marie, team.waiting(world.ctx, marie)[0].public_id)
    team.give_role(world.ctx, marie, zoe.public_id, CASHIER)
    team.give_role(world.ctx, marie, zoe.public_id, CASHIER)  # no change, no line
    reset, lost = links.new_secret(), links.new_secret()
    team.reset_link(world.ctx, marie, zoe.public_id, reset, lost=False)
    team.reset_link(world.ctx, marie, zoe.public_id, reset, lost=False)  # a double click
    links.choose_password(world.ctx, reset, "other words apart")
    team.reset_link(world.ctx, marie, zoe.public_id, lost, lost=True)
    team.disable(world.ctx, marie, zoe.public_id)
    team.disable(world.ctx, marie, zoe.public_id)
    team.enable(world.ctx, marie, zoe.public_id)
    team.reset_by_operator(world.ctx, "marie@example.com", lost=False)
    team.invite_by_operator(world.ctx, world.founded.merchant, OWNER)
    assert told(world) == [
        ("invited", "Marie", None, MARKETER),
        ("joined", "Zoé", None, MARKETER),
        ("invited", "Marie", None, CASHIER),
        ("taken_back", "Marie", None, None),
        ("role", "Marie", "Zoé", CASHIER),
        ("reset", "Marie", "Zoé", None),
        ("password", "Zoé", None, None),
        ("recover", "Marie", "Zoé", None),
        ("disabled", "Marie", "Zoé", None),
        ("enabled", "Marie", "Zoé", None),
        ("reset", "operator", "Marie", None),
        ("invited", "operator", None, OWNER),
    ]


def test_a_password_by_a_backup_code_is_noted(world: World) -> None:
    hire(world)
    _, _, codes = with_app(world)
    sign_in.reset_by_backup_code(world.ctx, "marie@example.com", codes[0], "another word 9", HOME)
    assert told(world) == [("password", "Marie", None, None)]


def test_who_paired_and_who_unpaired_a_till_is_noted(world: World) -> None:
    marie = owner(world)
    zoe = joined(world, marie, OWNER)
    till = pairing.make_till(world.ctx, marie.scope, pairing.stores(world.ctx, marie.scope)[0][0], "Counter")
    secret = pairing.invite(world.ctx, marie.scope, till, marie.staff_id).link.rpartition("#")[2]
    paired = pairing.pair(world.ctx, secret, "d" * 40, "Old phone")
    pairing.pair(world.ctx, secret, "d" * 40, "Old phone")  # its answer was lost
    pairing.revoke(world.ctx, zoe.scope, paired.key.partition(".")[0])
    assert told(world)[2:] == [("paired", "Marie", None, "Old phone"), ("unpaired", "Zoé", None, "Old phone")]


def announced(world: World, scope: Scope) -> str:
    wanted = offers.Announcement({"fr": "Demain, deux pour un"}, None, world.clock() + timedelta(days=2))
    facts, _ = offers.draft(world.ctx, scope, world.programme, wanted, world.wish("draft"))
    return str(facts["announcement"])


def test_who_sent_and_who_recalled_an_announcement_is_noted(world: World) -> None:
    marie = owner(world)
    zoe = joined(world, marie, MARKETER)
    sent, thrown_away, by_key = announced(world, zoe.scope), announced(world, zoe.scope), announced(world, zoe.scope)
    offers.confirm(world.ctx, zoe.scope, sent, world.wish("send"))
    offers.recall(world.ctx, marie.scope, sent, world.wish("recall"))
    offers.recall(world.ctx, marie.scope, sent, world.wish("again"))
    offers.recall(world.ctx, marie.scope, thrown_away, world.wish("discard"))
    offers.confirm(world.ctx, world.merchant, by_key, world.wish("key"))
    assert told(world)[2:] == [
        ("sent", "Zoé", None, None),
        ("recalled", "Marie", None, None),
        ("sent", "key", None, None),
    ]
    known = deeds.announced(world.ctx, marie.scope, sent)
    assert {what: one.who for what, one in known.items()} == {"sent": "Zoé", "recalled": "Marie"}
    assert deeds.announced(world.ctx, marie.scope, thrown_away) == {}


def test_who_published_a_version_is_noted(world: World) -> None:
    zoe = joined(world, owner(world), MARKETER)
    _, document = programs.programme_facts(world.ctx, world.merchant, world.programme)
    changed = {**document, "organisation": "Chez Zoé"}
    facts, _ = programs.publish_version(world.ctx, zoe.scope, world.programme, changed, world.wish("publish"))
    done = deeds.published(world.ctx, zoe.scope, world.programme, facts["version"])
    assert done is not None
    assert (done.who, done.at) == ("Zoé", world.clock())
    assert deeds.published(world.ctx, zoe.scope, world.programme, facts["version"] - 1) is None


def test_another_shop_sees_nothing_of_it_and_the_list_comes_in_pages(world: World) -> None:
    marie = owner(world)
    elsewhere = programs.found(world.ctx, "Un voisin", programs.NewStore("Centre"))
    stranger = replace(world.merchant, account_id=elsewhere.account_id, merchant_id=elsewhere.merchant_id)
    sent = announced(world, marie.scope)
    offers.confirm(world.ctx, marie.scope, sent, world.wish("send"))
    for _ in range(deeds.PAGE):
        team.enable(world.ctx, marie, marie.public_id)
    assert told(world, stranger) == []
    assert deeds.announced(world.ctx, stranger, sent) == {}
    assert deeds.published(world.ctx, stranger, world.programme, 1) is None
    newest, more = deeds.history(world.ctx, marie.scope, None)
    assert (len(newest), {one.what for one in newest}) == (deeds.PAGE, {"unlocked"})
    oldest, end = deeds.history(world.ctx, marie.scope, more)
    assert ([one.what for one in oldest], end) == (["sent"], None)
