"""What must not matter: Google away, answers lost, an issuer refused; and that a campaign takes as long as was said.

The product as it is, against a Google over real TLS; the clock alone is the test's, so that hours take seconds.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.conftest import NewDatabase
from tests.world import Holder, World, founded
from wallet_server import resources
from wallet_server.actions import keys, outbox
from wallet_server.actions.announcing import newsroom, offers
from wallet_server.actions.counter import till
from wallet_server.actions.once import asked
from wallet_server.actions.passes import saving
from wallet_server.actions.people import enrol
from wallet_server.actions.programme import programs
from wallet_server.actions.programme.programs import NewStore
from wallet_server.actions.vendors import google_accounts, holders
from wallet_server.actions.vendors.credentials import Claim
from wallet_server.actions.vendors.google_accounts import ServiceAccount
from wallet_server.errors import Unavailable
from wallet_server.installation import google_wallet
from wallet_server.records import jobs
from wallet_server.records.vendors import vendors
from wallet_server.rules.programme.program_default import default_document
from wallet_server.sandbox.authority import Authority
from wallet_server.sandbox.google import GoogleServer, Order
from wallet_server.wallets.designs import load_designs
from wallet_server.wallets.google import issuers

OURS, THEIRS = "3388000000022222222", "3388000000033333333"


@dataclass
class Street:
    """A shop that stands, and Google."""

    world: World
    google: GoogleServer

    def install(self, issuer: str, claim: Claim) -> None:
        given = self.google.issue_account(issuer)
        account = ServiceAccount(issuer, given["client_email"], given["private_key"].encode())
        google_accounts.install(self.world.ctx, account, claim)

    def save(self, pass_public_id: str) -> str:
        """Press the button; the id of the object behind the link."""
        link = saving.google_link(self.world.ctx, pass_public_id)
        assert link is not None
        jwt = saving.save(self.world.ctx, link.split("/")[-2]).rpartition("/")[2]
        return str(self.google.api.links.opened(jwt)[0].id)

    def card(self, **joining: Any) -> tuple[Holder, str]:
        holder = self.world.enrol(**joining)
        return holder, self.save(holder.pass_public_id)

    def body(self, card: str, kind: str = "loyaltyObject") -> dict[str, Any]:
        found = self.google.shelf.find(kind, card)
        assert found is not None
        return found.body

    def points(self, card: str) -> int:
        return int(self.body(card)["loyaltyPoints"]["balance"]["int"])

    def later(self, **by: float) -> None:
        self.world.clock.forward(**by)
        self.world.work()


@contextmanager
def opened(database: str, folder: Path, **more: Any) -> Iterator[Street]:
    authority = Authority.open(folder / "authority", datetime.now(UTC))
    with GoogleServer(authority).in_thread() as google:
        where = {
            "google_api_url": google.address,
            "google_token_url": google.token_url,
            "google_save_url": google.save_url.rstrip("/"),
            "google_ca": google.trust_pem.decode(),
            "google_requests_per_second": 100_000,
        }
        with founded(database, folder, **where | more) as world:
            wallet = google_wallet(world.ctx, load_designs(resources.templates()))
            world.ctx.wallets = {**world.ctx.wallets, wallet.name: wallet}
            street = Street(world, google)
            street.install(OURS, Claim())
            yield street
            wallet.close()


@pytest.fixture
def street(new_database: NewDatabase, tmp_path: Path) -> Iterator[Street]:
    with opened(new_database("sqlite"), tmp_path) as made:
        yield made


def test_google_is_down_during_many_sales_and_each_card_is_true_with_one_change(street: Street) -> None:
    cards = [street.card() for _ in range(6)]
    street.google.run(street.google.stop())
    for _ in range(6):
        for holder, _ in cards[:5]:
            street.world.sell(holder, 100)
        street.later(minutes=10)
    before = street.google.writes.copy()
    street.google.run(street.google.start())
    for _ in range(4):
        street.later(minutes=10)
    assert [street.points(card) for _, card in cards] == [6] * 5 + [0]
    assert [street.google.writes[card] - before[card] for _, card in cards] == [1] * 5 + [0]
    assert outbox.letters(street.world.ctx, dead=False) == []


def test_an_answer_that_is_lost_doubles_nothing(street: Street) -> None:
    world, google = street.world, street.google

    def lost(verb: str, after: int = 0) -> None:
        google.tell(Order(lost=True, times=1, verbs=frozenset({verb}), after=after))

    holder = world.enrol(promotions=True)
    lost("insert")
    with pytest.raises(Unavailable):
        street.save(holder.pass_public_id)
    world.clock.forward(minutes=20)
    card = street.save(holder.pass_public_id)
    assert street.save(holder.pass_public_id) == card
    lost("patch")
    world.sell(holder, 1000)
    world.work()
    assert street.points(card) == 10, "Google took it, though nobody heard so"
    world.sell(holder, 1000)
    street.later(minutes=20)
    assert street.points(card) == 20
    lost("addmessage")
    world.announce("Bonjour @prénom")
    world.work()
    street.later(minutes=20)
    assert len(street.body(card)["messages"]) == 1
    world.clock.forward(days=2)
    lost("addmessage")
    everybody = world.announce("Du pain chaud")
    world.work()
    street.later(minutes=20)
    above = street.body(f"{OURS}.{world.programme}", "loyaltyClass")
    assert [one["id"] for one in above["messages"]] == [everybody]
    world.recall(everybody)
    street.later(minutes=20)
    above = street.body(f"{OURS}.{world.programme}", "loyaltyClass")
    assert above.get("messages", []) == []
    assert outbox.letters(world.ctx, dead=True) == []


def test_an_issuer_that_is_refused_stops_no_other_merchant(street: Street) -> None:
    world, ctx = street.world, street.world.ctx
    ours, our_card = street.card()
    other = programs.found(ctx, "Fleuriste", NewStore("Marché"))
    made = programs.create_programme(
        ctx, other.account_id, other.merchant_id, default_document("Fleuriste"), world.credential_set
    )
    street.install(THEIRS, google_accounts.claim_of(ctx, made["programme"]))
    scope = keys.authenticate(ctx, other.merchant_key)
    theirs = []
    for number in range(3):
        wish = asked(scope, "enrol", {}, f"florist-{number}")
        facts, _ = enrol.enrol(ctx, scope, made["programme"], enrol.Joining(promotions=False), wish)
        theirs.append((world.holder(facts["pass"]), street.save(facts["pass"])))
    assert {card.partition(".")[0] for _, card in theirs} == {THEIRS}
    email = street.google.issue_account(THEIRS)["client_email"]
    street.google.permit(THEIRS, email, allowed=False)
    line = till.SaleLine(None, None, 1000, 1000, 1000, 0, False)
    for holder, _ in theirs:
        sold = till.Sold(holder.code, world.number(), 1000, (line,), "EUR", None)
        till.sell(ctx, keys.authenticate(ctx, other.till_key), sold, None)
    for round_ in range(1, 4):
        world.sell(ours, 1000)
        street.later(minutes=5)
        assert street.points(our_card) == 10 * round_
    assert [street.points(card) for _, card in theirs] == [0, 0, 0]
    street.google.permit(THEIRS, email, allowed=True)
    for _ in range(3):
        street.later(minutes=20)
    assert [street.points(card) for _, card in theirs] == [10, 10, 10]


def test_what_no_callback_told_of_is_found_at_night(street: Street) -> None:
    world, ctx = street.world, street.world.ctx
    cards = [street.card() for _ in range(3)]
    found = street.google.shelf.find("loyaltyObject", cards[0][1])
    assert found is not None
    street.google.resources.save(found, "ada@example.com")  # and nobody is called

    def held() -> list[bool]:
        with ctx.look() as tx:
            return [vendors.held_by(tx, holder.member_id) for holder, _ in cards]

    assert held() == [False, False, False]
    with ctx.change() as tx:
        jobs.put(tx, holders.begin(ctx, tx))
    world.work()
    assert held() == [True, False, False]


def test_a_campaign_is_through_when_the_count_said_so(
    new_database: NewDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rate, crowd = 4, 40
    with opened(new_database("sqlite"), tmp_path, google_requests_per_second=rate) as street:
        world = street.world
        lock = threading.Lock()

        def sleep(seconds: float) -> None:
            with lock:
                world.clock.forward(seconds=seconds)

        # What waits for its rate waits on the test's clock.
        monkeypatch.setattr(issuers, "time", SimpleNamespace(sleep=sleep, monotonic=lambda: world.clock().timestamp()))
        shown = [street.card(promotions=True) for _ in range(crowd)]
        world.clock.forward(hours=1)
        announcement = world.draft("Bonjour @prénom")
        before = newsroom.counted(world.ctx, world.merchant, announcement).through
        assert before is not None
        assert (before.cards, before.together, before.in_time) == (crowd, False, crowd)
        begun = world.clock()
        offers.confirm(world.ctx, world.merchant, announcement, world.wish("confirm"))
        for _ in range(1000):
            world.work()
            if all(street.body(card).get("messages") for _, card in shown):
                break
            world.clock.forward(seconds=0.5)
        took = (world.clock() - begun).total_seconds()
        assert abs(took - before.seconds) <= 0.1 * took, (took, before.seconds)
        assert before.seconds == pytest.approx(2 * crowd / rate)
