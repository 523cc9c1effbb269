"""What Google tells: believed once, when it is signed for our issuer; everything else changes nothing."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.conftest import NewDatabase
from tests.vendor import ISSUER, Vendor, add_vendor
from tests.world import NOON, World, founded
from wallet_server.actions.announcing import newsroom, offers
from wallet_server.actions.passes import saving
from wallet_server.actions.people import journal, leaving, recovery
from wallet_server.actions.vendors import google_events, holders
from wallet_server.errors import NotFound, Unauthenticated, Unavailable
from wallet_server.records import jobs
from wallet_server.records import schema as tables
from wallet_server.records.database import Tx
from wallet_server.records.passes import passes
from wallet_server.records.people import members
from wallet_server.records.vendors import credentials, vendors
from wallet_server.records.vendors import holders as records
from wallet_server.rules.programme.program_default import default_document
from wallet_server.sandbox.google.callbacks import Keys
from wallet_server.wallets.google.roots import Roots
from wallet_server.wallets.port import Later, Shown

VECTORS = os.environ.get("WALLET_TEST_VECTORS", "")
GIFT = {**default_document("Boulangerie"), "welcome": {"currency": "points", "amount": 5}}


@pytest.fixture
def world(new_database: NewDatabase, tmp_path: Path) -> Iterator[World]:
    with founded(new_database("sqlite"), tmp_path, document=GIFT) as made:
        yield made


class Google:
    """A signer with keys of its own, one member's card at it, and the address that it calls."""

    def __init__(self, world: World, issuer: str = ISSUER) -> None:
        self.world, self.issuer, self.keys = world, issuer, Keys.fresh(NOON)
        self.vendor = add_vendor(world, Vendor(), issuer)
        self.member = world.enrol()
        link = saving.google_link(world.ctx, self.member.pass_public_id)
        assert link is not None
        self.serial = saving.save(world.ctx, link.split("/")[-2]).rpartition("/")[2]
        self.asked = 0
        world.ctx.google_roots = Roots(self._served)
        with world.ctx.look() as tx:
            self.set = next(r for r in credentials.all_sets(tx, "google") if r.pass_type == issuer).public_id

    def _served(self) -> bytes:
        self.asked += 1
        return json.dumps(self.keys.served()).encode()

    def body(self, kind: str = "save", nonce: str = "n1", *, to: str | None = None, **said: Any) -> bytes:
        message = {
            "classId": f"{self.issuer}.{self.world.programme}",
            "objectId": f"{self.issuer}.{self.serial}",
            "eventType": kind,
            "expTimeMillis": int((self.world.clock() + timedelta(minutes=10)).timestamp() * 1000),
            "count": 1,
            "nonce": nonce,
        } | said
        return self.keys.signed(to or self.issuer, message)

    def hear(self, body: bytes) -> bool:
        return google_events.hear(self.world.ctx, self.set, body)

    def held(self) -> bool:
        with self.world.ctx.look() as tx:
            return vendors.held_by(tx, self.member.member_id)

    def standing(self) -> list[Any]:
        with self.world.ctx.look() as tx:
            return [tuple(r) for t in (tables.pass_holdings, tables.callback_nonces) for r in tx.execute(sa.select(t))]


@pytest.fixture
def google(world: World) -> Google:
    return Google(world)


def test_saved_brings_the_gift_once_and_removed_is_noted(world: World, google: Google) -> None:
    assert not google.held()
    assert google.hear(google.body())
    assert google.held()
    world.work()
    assert google.vendor.objects[google.serial].balance.value == 5
    assert not google.hear(google.body()), "the same message again"
    assert google.hear(google.body("del", "n2"))
    assert not google.held()
    assert not google.hear(google.body()), "a replay does not bring it back"
    assert not google.held()
    assert google.hear(google.body("save", "n3"))
    assert google.held()
    world.clock.forward(minutes=1)
    world.work()
    assert google.vendor.objects[google.serial].balance.value == 5


def test_a_sale_that_hears_of_the_save_first_brings_the_gift_too(world: World, google: Google) -> None:
    google.vendor.saved = True
    world.sell(google.member, 1000)
    world.work()
    assert google.held()
    for nonce in ("no callback yet", "one that comes after it"):
        world.clock.forward(minutes=1)
        world.work()
        assert google.vendor.objects[google.serial].balance.value == 15
        assert google.hear(google.body(nonce=nonce))


def test_a_message_to_all_speaks_the_programme_s_first_language_to_whoever_reads_no_other(
    world: World, google: Google
) -> None:
    with world.ctx.change() as tx:
        members.record_consent(tx, google.member.member_id, members.PROMOTIONS, True, "form", world.clock())
    assert google.hear(google.body())
    wanted = offers.Announcement({"en": "Warm bread", "fr": "Du pain"}, None, world.clock() + timedelta(days=7))
    facts, _ = offers.draft(world.ctx, world.merchant, world.programme, wanted, world.wish("announce"))
    offers.confirm(world.ctx, world.merchant, str(facts["announcement"]), world.wish("confirm"))
    world.work()
    (message,) = google.vendor.messages.values()
    assert [*message.header] == [*message.body] == ["fr", "en"]


def test_what_comes_after_a_later_message_of_the_same_card_is_passed_over(world: World, google: Google) -> None:
    def at(seconds: int) -> int:
        return int((world.clock() + timedelta(minutes=10, seconds=seconds)).timestamp() * 1000)

    assert google.hear(google.body("save", "n1", expTimeMillis=at(0)))
    assert google.hear(google.body("save", "n2", expTimeMillis=at(60)))
    assert not google.hear(google.body("del", "n3", expTimeMillis=at(30)))
    assert google.held()
    assert google.hear(google.body("del", "n4", expTimeMillis=at(61)))
    assert not google.held()


def test_a_name_goes_to_every_card_and_is_taken_back_there_of_those_too_that_are_over(
    world: World, google: Google
) -> None:
    def called(name: str) -> dict[str, str | None]:
        journal.call(world.ctx, world.merchant, google.member.member, name)
        world.work()
        return google.vendor.names

    assert called("Camille") == {google.serial: "Camille"}
    link = world.ctx.link("recover", google.member.pass_public_id)
    fresh = world.holder(recovery.by_link(world.ctx, link.rpartition("/")[2], "form")["pass"])
    again = saving.google_link(world.ctx, fresh.pass_public_id)
    assert again is not None
    second = saving.save(world.ctx, again.split("/")[-2]).rpartition("/")[2]
    assert called("") == {google.serial: None, second: None}


def test_a_card_that_is_not_ours_is_no_news(google: Google) -> None:
    assert not google.hear(google.body(objectId=f"{ISSUER}.somebody"))
    assert not google.hear(google.body(nonce="n2", objectId=f"{ISSUER}.\u0000"))
    assert not google.held()


def test_whoever_leaves_takes_along_what_every_copy_said_of_them(world: World, google: Google) -> None:
    vendor = google.vendor
    token = world.ctx.link("recover", google.member.pass_public_id).rpartition("/")[2]
    fresh = world.holder(recovery.by_link(world.ctx, token, "form")["pass"])
    world.work()
    assert vendor.objects[google.serial].voided
    link = saving.google_link(world.ctx, fresh.pass_public_id)
    assert link is not None
    saving.save(world.ctx, link.split("/")[-2])
    assert len(vendor.objects) == 2
    leaving.leave(world.ctx, world.merchant, fresh.member)
    world.work()
    assert vendor.objects == {}
    calls = len(vendor.calls)
    world.clock.forward(hours=1)
    world.work()
    assert len(vendor.calls) == calls


def test_a_card_that_was_saved_counts_as_one_in_a_phone(world: World, google: Google) -> None:
    world.enrol(promotions=True)
    with world.ctx.change() as tx:
        members.record_consent(tx, google.member.member_id, members.PROMOTIONS, True, "form", world.clock())
    draft = world.draft()
    assert offers.foretold(world.ctx, world.merchant, draft) == {"shown": 0, "no-phone": 2}
    assert google.hear(google.body())
    assert offers.foretold(world.ctx, world.merchant, draft) == {"shown": 1, "no-phone": 1}
    google.hear(google.body("del", "n2"))
    assert offers.foretold(world.ctx, world.merchant, draft) == {"shown": 0, "no-phone": 2}
    announcement = world.announce()
    world.work()
    world.clock.forward(minutes=1)
    world.work()
    google.hear(google.body("save", "n3"))
    world.work()
    told = newsroom.item(world.ctx, world.merchant, announcement).standings
    assert told == {"silent": 1, "no-phone": 1}, "it was there before the card was saved"
    owned = journal.portrait(world.ctx, world.merchant, google.member.member).cards
    assert [(card.wallet, len(card.phones), card.behind) for card, _ in owned] == [
        ("google", 1, False),
        ("apple", 0, True),
    ]


def test_the_nightly_list_of_holders_puts_right_what_was_not_told(world: World, google: Google) -> None:
    vendor = google.vendor
    others = [world.enrol() for _ in range(4)]
    serials = []
    for one in others:
        link = saving.google_link(world.ctx, one.pass_public_id)
        assert link is not None
        serials.append(saving.save(world.ctx, link.split("/")[-2]).rpartition("/")[2])
    google.hear(google.body())
    vendor.holders = {*serials[:3]}
    vendor.objects["somebody"] = vendor.objects[serials[0]]
    world.work()
    vendor.answer = lambda what: Later(60, "away") if what == "roll" else Shown()

    def night() -> None:
        with world.ctx.change() as tx:
            jobs.put(tx, holders.begin(world.ctx, tx))
        world.work()

    def held() -> list[bool]:
        with world.ctx.look() as tx:
            return [vendors.held_by(tx, one.member_id) for one in (google.member, *others)]

    night()
    assert held() == [True, False, False, False, False]
    vendor.answer = lambda _what: Shown()
    world.clock.forward(minutes=2)
    world.work()
    assert held() == [False, True, True, True, False]
    with world.ctx.look() as tx:
        found = records.walk_of(tx, holders_set(tx))
    assert found is not None
    assert (found.place, found.looked_at, found.mended) == (None, 6, 4)
    world.clock.forward(minutes=1)
    world.work()
    assert vendor.objects[serials[0]].balance.value == 5, "the gift of a first save comes by this way, too"
    vendor.holders = set()
    night()
    assert held() == [False] * 5


def holders_set(tx: Tx) -> int:
    return records.sets(tx, ["google"])[0]


FORGED: dict[str, Callable[[Google], bytes]] = {
    "by a stranger's key": lambda g: Keys.fresh(NOON).signed(
        g.issuer, json.loads(json.loads(g.body())["signedMessage"])
    ),
    "for another issuer": lambda g: g.body(to="3388000000099999999"),
    "about another issuer's card": lambda g: g.body(objectId="3388000000099999999.x"),
    "expired": lambda g: g.body(expTimeMillis=int(NOON.timestamp() * 1000)),
    "changed": lambda g: g.body().replace(b'\\"save\\"', b'\\"del\\"'),
    "not ASCII, changed": lambda g: g.body(nonce="ééé").replace("ééé".encode(), "éée".encode()),
    "not ASCII at all": lambda _: "{é".encode(),
    "no UTF-8": lambda g: g.body() + b"\xff",
    "too long": lambda g: g.body() + b" " * google_events.MAX_BYTES,
    "empty": lambda _: b"",
}


def test_what_google_did_not_sign_for_us_changes_nothing(google: Google) -> None:
    before = google.standing()
    for body in FORGED.values():
        with pytest.raises(Unauthenticated):
            google.hear(body(google))
    assert google.standing() == before
    assert not google.held()


def test_an_intermediate_key_that_has_run_out_is_refused(world: World, google: Google) -> None:
    world.clock.forward(days=8)
    with pytest.raises(Unauthenticated):
        google.hear(google.body())
    google.keys = google.keys.renewed(world.clock())
    assert google.hear(google.body(nonce="né")), "what is not ASCII is read as it came"


def test_a_new_root_is_learned_and_forgeries_make_nobody_ask_again(world: World, google: Google) -> None:
    assert google.hear(google.body())
    google.keys = Keys.fresh(NOON)
    world.clock.forward(minutes=2)
    assert google.hear(google.body("del", "n2"))
    asked = google.asked
    for _ in range(20):
        with pytest.raises(Unauthenticated):
            google.hear(b"{}")
    assert google.asked == asked


def test_an_unknown_address_and_keys_that_cannot_be_had(world: World, google: Google) -> None:
    with pytest.raises(NotFound):
        google_events.hear(world.ctx, "cred_nobody", google.body())

    def away() -> bytes:
        raise OSError

    world.ctx.google_roots = Roots(away)
    with pytest.raises(Unavailable):
        google.hear(google.body())
    assert not google.held()


def test_on_the_wire_bytes_as_they_came(world: World, google: Google) -> None:
    path = f"/google/callbacks/{google.set}"
    client = world.client()
    assert client.post(path, data=google.body(nonce="é"), content_type="application/json").status_code == 200
    assert google.held()
    assert client.post(path, data=google.body(nonce="é")).status_code == 200
    assert client.post(path, data=b"{}").status_code == 401
    assert client.post(path, data=b" " * (google_events.MAX_BYTES + 1)).status_code == 413
    assert client.post("/google/callbacks/cred_nobody", data=b"{}").status_code == 404
    robots = client.get("/robots.txt")
    assert robots.mimetype == "text/plain"
    assert "User-agent: Googlebot\nAllow: /google/callbacks/" in robots.text


@pytest.mark.skipif(not VECTORS, reason="WALLET_TEST_VECTORS names no folder with real callbacks")
@pytest.mark.parametrize("number", range(3))
def test_what_google_really_signed_is_taken(world: World, number: int) -> None:
    found = json.loads((Path(VECTORS) / "google_callbacks_real.json").read_text())
    vector = found["vectors"][number]
    said = json.loads(vector["body"]["signedMessage"])
    google = Google(world, vector["issuerId"])
    with world.ctx.change() as tx:
        row = passes.pass_by_serial(tx, google.issuer, google.serial)
        assert row is not None
        serial = said["objectId"].partition(".")[2]
        tx.execute(sa.update(tables.passes).where(tables.passes.c.id == row.id).values(serial=serial))
        vendors.say(tx, row.id, world.clock(), held=said["eventType"] == "del")
    world.clock.at = datetime.fromtimestamp(said["expTimeMillis"] / 1000, UTC) - timedelta(minutes=5)
    root = found["rootKeys"]["keys"][0]["keyValue"]
    assert base64.b64decode(root)
    world.ctx.google_roots = Roots(lambda: json.dumps(found["rootKeys"]).encode())
    body = json.dumps(vector["body"], ensure_ascii=False).encode()
    with pytest.raises(Unauthenticated):
        google.hear(body.replace(b"save", b"seve").replace(b"del", b"dal"))
    assert google.hear(body)
    assert google.held() == (said["eventType"] == "save")
    assert not google.hear(body)
