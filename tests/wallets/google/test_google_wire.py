"""Cards on their way to Google over real TLS: put once, changed by what changed, alerted within the day's three, and
true after every fault."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from aiohttp import web

from tests.wallets.gallery import GALLERY
from tests.wallets.samples import NOW, TEMPLATES, sample_card, sample_identity
from wallet_server.errors import Invalid, Misconfigured
from wallet_server.rules.passes.card import Alert, Card, News
from wallet_server.sandbox.authority import Authority
from wallet_server.sandbox.google import GoogleServer, Order
from wallet_server.sandbox.google import server as server_of_google
from wallet_server.sandbox.google.batch import Answer as Answered
from wallet_server.sandbox.google.shelf import Stored
from wallet_server.wallets.banner import Banners
from wallet_server.wallets.designs import Designs, load_designs
from wallet_server.wallets.google import rolls, telling
from wallet_server.wallets.google.answers import Answer
from wallet_server.wallets.google.api import Account
from wallet_server.wallets.google.issuers import MOST_DENIED, Failures, Rates, Turn, Unlimited
from wallet_server.wallets.google.pushing import PLACES_NOTE
from wallet_server.wallets.google.wallet import GoogleWallet
from wallet_server.wallets.port import Audience, Copy, Later, Message, Refused, Report, Roll, Shown, Stale, Template

ISSUERS = ("3388000000022000001", "3388000000022000002")
POINTS, NEWS = Alert("points", {}), Alert("news", {})
DESIGNS, BANNERS = load_designs(TEMPLATES), Banners()


@dataclass
class Facts:
    """What was learned of issuers."""

    known: dict[str, bool] = field(default_factory=dict)

    def locations(self, issuer: str) -> bool | None:
        return self.known.get(issuer)

    def learn(self, issuer: str, allowed: bool) -> None:
        self.known[issuer] = allowed


@dataclass
class Bench:
    """A server, a wallet with an account for each of two issuers, and what the wallet was told."""

    google: GoogleServer
    facts: Facts
    wallet: GoogleWallet
    placed: list[bytes]
    serials: Iterator[str]

    def stale(self, card: Card, issuer: int = 0, **said: Any) -> Stale:
        """A card that nobody has put there yet."""
        serial = said.pop("serial", None) or next(self.serials)
        identity = replace(sample_identity(), credential_set=issuer, pass_type=ISSUERS[issuer], serial=serial)
        copy = Copy(card, said.pop("alert", None), identity, "p_7k3qzd", said.pop("offers", ()), "Léa M.")
        return Stale(1, issuer, ISSUERS[issuer], (), said.pop("remote_state", None), copy, said.pop("left", 3))

    def put(self, stale: Stale) -> Report:
        (report,) = self.wallet.refresh([stale], NOW)
        return report

    def again(self, stale: Stale, report: Report, card: Card, alert: Alert | None = None, left: int = 3) -> Stale:
        """The same pass with another card, after that report."""
        assert stale.copy is not None
        copy = replace(stale.copy, card=card, alert=alert)
        return stale._replace(copy=copy, remote_state=report.remote_state, alerts_left=left)

    def there(self, stale: Stale, kind: str = "loyaltyObject") -> dict[str, Any]:
        """What stands at Google."""
        assert stale.copy is not None
        found = self.google.shelf.find(kind, f"{stale.pass_type}.{stale.copy.identity.serial}")
        assert found is not None
        return found.body

    def rung(self, stale: Stale) -> int:
        """How many alerts Google counted."""
        assert stale.copy is not None
        found = self.google.shelf.find("loyaltyObject", f"{stale.pass_type}.{stale.copy.identity.serial}")
        return len(found.alerts) if found else 0

    def calls(self) -> list[str]:
        """What was asked since the last time, with the status."""
        asked = [f"{one.method} {one.status}" for one in self.google.journal]
        self.google.journal.clear()
        return asked


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GoogleServer]:
    authority = Authority.open(tmp_path_factory.mktemp("google") / "authority", datetime.now(UTC))
    with GoogleServer(authority).in_thread() as google:
        yield google


def wallet_for(google: GoogleServer, facts: Facts, placed: list[bytes], rates: Rates, **said: Any) -> GoogleWallet:
    accounts = []
    for issuer in ISSUERS:
        given = google.issue_account(issuer)
        accounts.append(Account(issuer, given["client_email"], given["private_key"].encode(), 1))

    def place(content: bytes, media_type: str) -> str:
        assert media_type == "image/png"
        placed.append(content)
        return f"https://cards.example.com/p/{len(placed)}.png"

    return GoogleWallet(
        DESIGNS,
        BANNERS,
        lambda credential_set: accounts[credential_set],
        picture_url=place,
        rates=rates,
        capabilities=facts,
        api=google.address,
        token_url=google.token_url,
        save_base=google.save_url.rstrip("/"),
        trust_pem=google.trust_pem,
        sandbox=True,
        **said,
    )


@pytest.fixture
def bench(server: GoogleServer, request: pytest.FixtureRequest) -> Iterator[Bench]:
    facts, placed = Facts(), []
    wallet = wallet_for(server, facts, placed, Unlimited(), read_seconds=8.0)
    server.journal.clear()
    yield Bench(server, facts, wallet, placed, (f"{abs(hash(request.node.name)):x}{n}" for n in range(1000)))
    wallet.close()
    server.tell(None)
    for issuer in ISSUERS:
        server.tell(None, issuer)
        server.allow_locations(issuer, allowed=True)
        server.permit(issuer, server.issue_account(issuer)["client_email"], allowed=True)


def richer(card: Card, value: int) -> Card:
    return replace(card, balance=replace(card.balance, value=value))


def newer(card: Card, text: str) -> Card:
    return replace(card, news=News({"fr": "Nouvelle", "en": "News"}, {"fr": text, "en": text}))


# --- put, changed, left alone ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("design", "name"), [(design, next(iter(cards))) for design, cards in GALLERY.items()])
def test_each_kind_of_card_is_put_there_with_its_class(bench: Bench, design: str, name: str) -> None:
    stale = bench.stale(GALLERY[design][name])
    report = bench.put(stale)
    assert isinstance(report.verdict, Shown), report.verdict
    assert (report.saved, report.alerted, report.note) == (False, None, None)
    kind = json.loads(report.remote_state or "")["k"]
    assert bench.there(stale, f"{kind}Object")["state"] == "ACTIVE"
    bench.calls()
    assert bench.put(stale._replace(remote_state=report.remote_state)).remote_state == report.remote_state
    assert bench.calls() == [], "nothing changed: nothing is asked"


def test_a_change_is_one_patch_of_what_changed(bench: Bench) -> None:
    stale = bench.stale(sample_card())
    first = bench.put(stale)
    bench.calls()
    second = bench.put(bench.again(stale, first, richer(sample_card(), 99), POINTS))
    assert bench.calls() == ["loyaltyobject.patch 200"]
    assert (second.alerted, bench.there(stale)["loyaltyPoints"]["balance"]) == (True, {"int": 99})
    stamps = bench.put(bench.again(stale, second, GALLERY["stamps"]["seven"]))
    assert bench.there(stale)["loyaltyPoints"]["balance"] == {"string": "7 / 10"}, "one form of the balance alone"
    assert "secondaryLoyaltyPoints" not in bench.there(stale)
    assert isinstance(stamps.verdict, Shown)


def test_a_member_whose_status_changes_moves_to_the_class_of_that_status(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = DESIGNS.newest("tiers")
    own = replace(shown, google=shown.google.model_copy(update={"tier": "class"}))
    monkeypatch.setattr("tests.wallets.google.test_google_wire.DESIGNS", Designs({(own.name, own.version): own}))
    wallet = wallet_for(bench.google, bench.facts, bench.placed, Unlimited())
    silver = GALLERY["tiers"]["silver"]
    assert silver.tier is not None
    gold = replace(silver, tier=replace(silver.tier, code="gold", name={"fr": "Or", "en": "Gold"}))
    stale = bench.stale(silver)
    (first,) = wallet.refresh([stale], NOW)
    assert bench.there(stale)["classId"].endswith("_tier_silver")
    bench.calls()
    (moved,) = wallet.refresh([bench.again(stale, first, gold)], NOW)
    assert isinstance(moved.verdict, Shown)
    assert bench.calls().count("loyaltyobject.patch 200") == 1
    assert bench.there(stale)["classId"].endswith("_tier_gold")
    above = bench.google.shelf.find("loyaltyClass", bench.there(stale)["classId"])
    assert above is not None
    assert above.body["rewardsTier"] == "Or"
    bench.calls()
    (again,) = wallet.refresh([bench.again(stale, moved, gold)], NOW)
    assert again.remote_state == moved.remote_state
    assert bench.calls() == []
    wallet.close()


def test_a_card_that_is_there_stays_of_its_kind_whatever_its_design_becomes(bench: Bench) -> None:
    stale, euros = bench.stale(sample_card()), GALLERY["gift"]["euros"]
    report = bench.put(stale)
    gift = bench.again(stale, report, euros)
    assert isinstance(bench.put(gift).verdict, Shown)
    body = bench.there(stale)
    assert body["loyaltyPoints"]["balance"].keys() == {"money"}
    assert bench.google.shelf.find("giftCardObject", body["id"]) is None
    assert gift.copy is not None
    link = bench.wallet.link([replace(gift.copy, remote_state=report.remote_state)], NOW).link or ""
    assert [one.kind for one in bench.google.api.links.opened(link.rpartition("/")[2])] == ["loyaltyObject"]
    fresh = bench.stale(euros)
    bench.put(fresh)
    assert bench.there(fresh, "giftCardObject")["cardNumber"]


def test_coupons_that_are_linked_as_objects_stay_linked_and_a_missing_one_holds_up_nobody(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = DESIGNS.newest("points")
    own = replace(shown, google=shown.google.model_copy(update={"coupons": "objects"}))
    known = {("points", shown.version): own, ("coupon", 1): DESIGNS.newest("coupon")}
    monkeypatch.setattr("tests.wallets.google.test_google_wire.DESIGNS", Designs(known))
    wallet = wallet_for(bench.google, bench.facts, bench.placed, Unlimited())
    coupon, card = bench.stale(GALLERY["coupon"]["welcome"]), bench.stale(sample_card())
    assert coupon.copy is not None
    assert card.copy is not None
    missing = card._replace(copy=replace(card.copy, linked=(coupon.copy.identity.serial,)))
    (first,) = wallet.refresh([missing], NOW)
    assert isinstance(first.verdict, Shown)
    assert "linkedObjectIds" not in bench.there(card)
    wallet.refresh([coupon], NOW).__next__()
    (second,) = wallet.refresh([missing._replace(remote_state=first.remote_state)], NOW)
    assert bench.there(card)["linkedObjectIds"] == [f"{ISSUERS[0]}.{coupon.copy.identity.serial}"]
    (third,) = wallet.refresh([card._replace(remote_state=second.remote_state)], NOW)
    assert isinstance(third.verdict, Shown)
    assert len(bench.there(card)["linkedObjectIds"]) == 1
    wallet.close()


def test_a_template_makes_the_class_and_brings_it_up_to_date(bench: Bench) -> None:
    said = Template(0, "p_templates", "Chez Léa SARL", sample_card(), None, "https://cards.example.com/google/1")
    made = bench.wallet.publish(said, NOW)
    assert isinstance(made.verdict, Shown)
    bench.calls()
    assert bench.wallet.publish(replace(said, remote_state=made.remote_state), NOW) == made
    assert bench.calls() == []
    bench.wallet.tell(Audience(0, "p_templates"), message("kept"))
    lost = bench.wallet.publish(replace(said, issuer_name="Léa"), NOW)  # whose state nobody remembers
    there = bench.google.shelf.find("loyaltyClass", f"{ISSUERS[0]}.p_templates")
    assert there is not None
    assert (there.body["issuerName"], len(there.body["messages"])) == ("Léa", 1), "messages are told, not composed"
    assert bench.wallet.publish(replace(said, issuer_name="Léa", remote_state=lost.remote_state), NOW) == lost
    bench.google.switches.review = ("REJECTED", "The logo is blurred.")
    refused = bench.wallet.publish(replace(said, issuer_name="Chez"), NOW)
    bench.google.switches.review = ("APPROVED", "")
    assert refused.note is not None
    assert "The logo is blurred." in refused.note


def test_pictures_are_placed_once_for_all_who_share_them(bench: Bench) -> None:
    bench.put(bench.stale(richer(sample_card(), 1)))
    before = len(bench.placed)
    for value in (2, 3):
        bench.put(bench.stale(richer(sample_card(), value)))
    assert len(bench.placed) == before, "the gauge is the same"
    bench.put(bench.stale(GALLERY["stamps"]["seven"]))
    assert len(bench.placed) > before


def test_a_link_leads_to_what_was_put_there(bench: Bench) -> None:
    card, coupon = bench.stale(sample_card()), bench.stale(GALLERY["coupon"]["welcome"])
    assert card.copy
    assert coupon.copy
    bench.put(coupon)
    linked = card._replace(copy=replace(card.copy, offers=(coupon.copy.identity.serial,)))
    bench.put(linked)
    assert bench.there(card)["linkedOfferIds"] == [f"{ISSUERS[0]}.{coupon.copy.identity.serial}"]
    issued = bench.wallet.link([linked.copy or card.copy, coupon.copy], NOW)
    assert issued.link is not None
    assert len(issued.link) < 1800
    jwt = issued.link.removeprefix(bench.google.save_url)

    async def save() -> int:
        return len(bench.google.save(jwt, "lea@example.com"))

    assert bench.google.run(save()) == 2
    report = bench.put(bench.again(card, bench.put(card), richer(sample_card(), 7)))
    assert report.saved is True
    with pytest.raises(Invalid):
        bench.wallet.link([], NOW)
    other = replace(card.copy, identity=replace(card.copy.identity, pass_type=ISSUERS[1]))
    with pytest.raises(Invalid):
        bench.wallet.link([card.copy, other], NOW)


# --- alerts and messages ---------------------------------------------------------------------------------------


def test_without_alerts_left_a_change_goes_silently_and_says_so(bench: Bench) -> None:
    stale = bench.stale(sample_card())
    report = bench.put(bench.again(stale, bench.put(stale), richer(sample_card(), 5), POINTS, left=0))
    assert (report.alerted, bench.there(stale)["loyaltyPoints"]["balance"]) == (False, {"int": 5})
    silent = bench.put(bench.again(stale, report, richer(sample_card(), 6)))
    assert silent.alerted is None


def test_google_s_own_count_is_believed_when_ours_was_wrong(bench: Bench) -> None:
    stale = bench.stale(sample_card())
    report, told = bench.put(stale), []
    for value in range(1, 6):
        report = bench.put(bench.again(stale, report, richer(sample_card(), value), POINTS))
        told.append(report.alerted)
    assert told == [True, True, True, False, False]
    assert bench.there(stale)["loyaltyPoints"]["balance"] == {"int": 5}
    report = bench.put(bench.again(stale, report, newer(sample_card(), "Spent"), NEWS))
    assert report.alerted is False
    assert [one["messageType"] for one in bench.there(stale)["messages"]] == ["TEXT"]


def test_news_ring_once_and_take_the_place_of_the_older_ones(bench: Bench) -> None:
    stale = bench.stale(newer(sample_card(), "Old"))
    report = bench.put(stale)
    report = bench.put(bench.again(stale, report, newer(richer(sample_card(), 8), "New"), NEWS))
    assert report.alerted is True
    (shown,) = bench.there(stale)["messages"]
    assert (shown["messageType"], shown["body"]) == ("TEXT_AND_NOTIFY", "New")
    assert shown["displayInterval"]["end"]["date"] == "2026-12-22T09:30:15Z"
    bench.calls()
    later = bench.wallet.refresh(
        [bench.again(stale, report, newer(richer(sample_card(), 8), "New"))], NOW + timedelta(3)
    )
    assert [one.verdict for one in later] == [Shown()]
    assert bench.calls() == [], "the same news keep their end"
    gone = bench.put(bench.again(stale, report, replace(richer(sample_card(), 8), news=None)))
    assert isinstance(gone.verdict, Shown)
    assert not bench.there(stale).get("messages")


@pytest.mark.parametrize("verb", ["addmessage", "patch", "insert"])
def test_a_lost_answer_changes_nothing_twice(bench: Bench, verb: str) -> None:
    stale = bench.stale(newer(sample_card(), "Old"))
    report = Report(1, Shown()) if verb == "insert" else bench.put(stale)
    wanted = bench.again(stale, report, newer(richer(sample_card(), 3), "New"), NEWS)
    if verb == "insert":
        wanted = wanted._replace(remote_state=None)
    bench.google.tell(Order(lost=True, times=1, verbs=frozenset({verb})))
    lost = bench.put(wanted)
    assert isinstance(lost.verdict, Later)
    bench.google.tell(None)
    done = bench.put(wanted._replace(remote_state=lost.remote_state))
    assert isinstance(done.verdict, Shown)
    assert [one["body"] for one in bench.there(stale)["messages"]] == ["New"]
    assert bench.rung(stale) == (0 if verb == "insert" else 1), "nobody holds a card that is just being put there"
    assert bench.there(stale)["loyaltyPoints"]["balance"] == {"int": 3}
    assert bench.google.writes[f"{ISSUERS[0]}.{stale.copy and stale.copy.identity.serial}"] <= 6
    bench.calls()
    bench.put(wanted._replace(remote_state=done.remote_state))
    assert bench.calls() == []


def test_half_an_answer_to_a_change_that_may_have_rung_counts_as_one_that_did(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = bench.stale(sample_card())
    report = bench.put(stale)
    sent = server_of_google._sent

    def half(request: web.BaseRequest, answer: Answered) -> web.Response:
        return sent(request, replace(answer, body=answer.body[: len(answer.body) // 2]))

    monkeypatch.setattr(server_of_google, "_sent", half)
    lost = bench.put(bench.again(stale, report, richer(sample_card(), 5), POINTS))
    assert isinstance(lost.verdict, Later)
    assert (lost.alerted, bench.rung(stale)) == (True, 1)


def message(name: str, notify: bool = True) -> Message:
    return Message(name, {"en": "Tonight", "fr": "Ce soir"}, {"en": "Half price", "fr": "Moitié prix"}, NOW, notify)


def test_a_message_to_everybody_is_sent_once_and_room_is_made_for_it(bench: Bench) -> None:
    programme = "p_told"
    assert isinstance(bench.wallet.tell(Audience(0, programme), message("first")), Refused)
    bench.wallet.publish(Template(0, programme, "Léa", sample_card()), NOW)
    bench.google.tell(Order(lost=True, times=1, verbs=frozenset({"addmessage"})))
    assert isinstance(bench.wallet.tell(Audience(0, programme), message("first")), Later)
    bench.google.tell(None)
    for number in range(15):
        assert bench.wallet.tell(Audience(0, programme), message(f"m{number}", notify=number < 5)) == Shown()
        assert bench.wallet.tell(Audience(0, programme), message("first" if number < 5 else f"m{number}")) == Shown()
    there = bench.google.shelf.find("loyaltyClass", f"{ISSUERS[0]}.{programme}")
    assert there is not None
    names = [one["id"] for one in there.body["messages"]]
    assert len(names) == len(set(names)) <= 10
    assert names[-1] == "m14"
    assert there.body["reviewStatus"] == "APPROVED"


def test_a_message_reaches_the_classes_that_an_older_design_left_cards_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "CLASSES", 2)
    bench.wallet.publish(Template(0, "p_moved", "Léa", sample_card()), NOW)
    there = bench.google.shelf.find("loyaltyClass", f"{ISSUERS[0]}.p_moved")
    assert there is not None
    moved = [f"{there.id}_tier_{code}" for code in ("gold", "silver")]
    for name in moved:
        bench.google.shelf.add(Stored("loyaltyClass", {**there.body, "id": name}))
    assert bench.wallet.tell(Audience(0, "p_moved"), message("moved")) == Shown()
    for name in (there.id, *moved):
        told = bench.google.shelf.find("loyaltyClass", name)
        assert told is not None
        assert [one["id"] for one in told.body.get("messages", ())] == ["moved"]


def test_a_message_is_taken_back_from_everybody_and_the_others_stay(bench: Bench) -> None:
    programme = "p_untold"
    bench.wallet.publish(Template(0, programme, "Léa", sample_card()), NOW)
    for name in ("one", "two"):
        assert bench.wallet.tell(Audience(0, programme), message(name)) == Shown()
    bench.google.tell(Order(lost=True, times=1, verbs=frozenset({"patch"})))
    assert isinstance(bench.wallet.untell(Audience(0, programme), "one"), Later)
    assert bench.wallet.untell(Audience(0, programme), "one") == Shown()
    there = bench.google.shelf.find("loyaltyClass", f"{ISSUERS[0]}.{programme}")
    assert there is not None
    assert [one["id"] for one in there.body["messages"]] == ["two"]
    bench.calls()
    assert bench.wallet.untell(Audience(0, programme), "one") == Shown()
    assert "loyaltyclass.patch 200" not in bench.calls()


def test_the_list_of_holders_is_walked_in_pages_and_names_our_own_alone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rolls, "OBJECTS", 2)
    monkeypatch.setattr(rolls, "CLASSES", 2)
    programme = "p_rolled"
    wanted = {}
    for number in range(5):
        stale = bench.stale(sample_card())
        assert stale.copy is not None
        mine = stale._replace(copy=replace(stale.copy, programme=programme if number else "p_rolledout"))
        assert bench.put(mine).verdict == Shown()
        if number:
            wanted[stale.copy.identity.serial] = number == 1
        if number == 1:
            found = bench.google.shelf.find("loyaltyObject", f"{ISSUERS[0]}.{stale.copy.identity.serial}")
            assert found is not None
            bench.google.resources.save(found, "ada@example.com")
    held: dict[str, bool] = {}
    after: str | None = None
    for _ in range(500):
        roll = bench.wallet.roll(0, [programme], after)
        assert isinstance(roll, Roll)
        assert not roll.held.keys() & held.keys(), "nothing is listed twice"
        held.update(roll.held)
        after = roll.after
        if after is None:
            break
    assert after is None
    assert held == wanted
    bench.google.tell(Order(503))
    assert isinstance(bench.wallet.roll(0, [programme], None), Later)
    assert isinstance(bench.wallet.roll(0, [programme], "junk"), Later)


# --- what Google does not take ---------------------------------------------------------------------------------


def test_an_issuer_without_places_is_remembered_and_the_card_goes_without(bench: Bench) -> None:
    bench.google.allow_locations(ISSUERS[0], allowed=False)
    stale = bench.stale(sample_card())
    report = bench.put(stale)
    assert (report.verdict, report.note, bench.facts.known) == (Shown(), PLACES_NOTE, {ISSUERS[0]: False})
    assert "merchantLocations" not in bench.there(stale)
    bench.calls()
    assert bench.put(bench.stale(richer(sample_card(), 2))).note == PLACES_NOTE
    assert bench.calls() == ["loyaltyobject.insert 200"], "what was learned is not tried again"
    bench.google.allow_locations(ISSUERS[0], allowed=True)
    bench.facts.known.clear()
    report = bench.put(bench.again(stale, report, sample_card()))
    assert (report.note, bench.facts.known) == (None, {ISSUERS[0]: True})
    assert len(bench.there(stale)["merchantLocations"]) == 2


def test_a_card_never_waits_for_a_coupon_that_is_not_there(bench: Bench) -> None:
    card = bench.stale(sample_card(), offers=("nowhere",))
    report = bench.put(card)
    assert isinstance(report.verdict, Shown)
    coupon = bench.stale(GALLERY["coupon"]["welcome"], serial="nowhere")
    bench.put(coupon)
    assert isinstance(bench.put(card._replace(remote_state=report.remote_state)).verdict, Shown)
    assert bench.there(card)["linkedOfferIds"] == [f"{ISSUERS[0]}.nowhere"]


def test_what_vanished_at_google_is_put_there_again(bench: Bench) -> None:
    stale = bench.stale(sample_card())
    report = bench.put(bench.stale(sample_card(), serial="elsewhere"))
    assert stale.copy
    never = (report.remote_state or "").replace("elsewhere", stale.copy.identity.serial)
    report = bench.put(bench.again(stale, report._replace(remote_state=never), richer(sample_card(), 4), POINTS))
    assert (report.verdict, report.alerted) == (Shown(), None)
    assert bench.there(stale)["loyaltyPoints"]["balance"] == {"int": 4}


def test_a_card_that_breaks_a_rule_is_never_sent(bench: Bench) -> None:
    bad = replace(sample_card(), places=(replace(sample_card().places[0], latitude=91.0),))
    report = bench.put(bench.stale(bad))
    assert isinstance(report.verdict, Refused)
    assert "latitude" in report.verdict.why.lower()
    assert bench.calls() == []


def test_one_issuer_refused_stops_no_other(bench: Bench) -> None:
    bench.google.permit(ISSUERS[0], bench.google.issue_account(ISSUERS[0])["client_email"], allowed=False)
    cards = [bench.stale(sample_card(), number % 2) for number in range(40)]
    reports = list(bench.wallet.refresh([one._replace(ref=n) for n, one in enumerate(cards)], NOW))
    assert sorted(one.ref for one in reports) == list(range(40))
    refused = [one for one in reports if one.ref % 2 == 0]
    assert {type(one.verdict) for one in refused} == {Refused}, refused
    assert all("Users" in one.verdict.why for one in refused if isinstance(one.verdict, Refused))
    assert all(isinstance(one.verdict, Shown) for one in reports if one.ref % 2)
    assert any(isinstance(one.verdict, Refused) and one.verdict.of_issuer for one in refused)
    assert sum("403" in call for call in bench.calls()) <= 10, "the rest of the batch is not even asked"


def test_a_card_that_is_denied_alone_stops_nobody(bench: Bench) -> None:
    bench.put(bench.stale(sample_card()))
    bench.google.tell(Order(403, times=MOST_DENIED - 1))
    cards = [bench.stale(sample_card())._replace(ref=number) for number in range(10)]
    verdicts = [one.verdict for one in bench.wallet.refresh(cards, NOW)]
    refused = [one for one in verdicts if isinstance(one, Refused)]
    assert (len(refused), verdicts.count(Shown())) == (MOST_DENIED - 1, 11 - MOST_DENIED)
    assert not any(one.of_issuer for one in refused), "nobody else is to rest for it"


@pytest.mark.parametrize(
    ("order", "least", "most"),
    [(Order(429, retry_after_seconds=7), 7.0, 7.0), (Order(503), 3.0, 400.0), (Order(lost=True), 3.0, 400.0)],
)
def test_a_google_that_is_unwell_is_left_alone_for_a_while(
    bench: Bench, order: Order, least: float, most: float
) -> None:
    bench.put(bench.stale(sample_card()))
    bench.google.tell(order)
    bench.calls()
    cards = [bench.stale(sample_card())._replace(ref=number) for number in range(30)]
    reports = list(bench.wallet.refresh(cards, NOW))
    assert len(reports) == 30
    for report in reports:
        assert isinstance(report.verdict, Later)
        assert least <= report.verdict.seconds <= most
    assert len(bench.calls()) <= 11
    bench.google.tell(None)
    reports = list(bench.wallet.refresh(cards, NOW))
    assert all(isinstance(one.verdict, Shown) for one in reports)


def test_an_object_that_never_answers_rests_alone_and_several_are_the_issuer() -> None:
    failures = Failures()

    def heard(status: int, subject: str, *, reads: bool = False) -> Later | Refused | None:
        turn = Turn(ISSUERS[0], "a@b", Unlimited(), failures, 1, 1.0)
        found = turn.heard(Answer(status), subject, reads=reads)
        assert (found is not None and found.of_issuer) == (turn.wait() is not None), "the batch stops with the issuer"
        return found

    rests = []
    for _ in range(9):
        found = heard(500, "loyaltyObject/1.bad")
        assert isinstance(found, Later)
        assert not found.of_issuer
        rests.append(found.seconds)
        assert heard(200, "loyaltyObject/1.good") is None
        assert heard(200, "loyaltyObject/1.bad", reads=True) is None
    assert rests[:4] == pytest.approx([5, 10, 20, 40], rel=0.26)
    assert 225 <= rests[-1] <= 375
    assert heard(200, "loyaltyObject/1.bad") is None
    last = [heard(500, f"loyaltyObject/1.{name}") for name in ("bad", "bad", "other", "third")]
    assert [one is not None and one.of_issuer for one in last] == [False, False, False, True]
    assert isinstance(last[0], Later)
    assert last[0].seconds < 7, "what was taken once begins anew"


@pytest.mark.slow
def test_a_google_that_is_slow_is_not_waited_for(bench: Bench) -> None:
    bench.wallet = wallet_for(bench.google, bench.facts, bench.placed, Unlimited(), read_seconds=0.5)
    bench.google.tell(Order(delay_seconds=1.5))
    report = bench.put(bench.stale(sample_card()))
    assert isinstance(report.verdict, Later)
    assert "timed out" in report.verdict.why


def test_a_token_that_ran_out_is_renewed_by_itself(bench: Bench) -> None:
    bench.put(bench.stale(sample_card()))
    bench.google.tell(Order(401, times=1))
    assert isinstance(bench.put(bench.stale(sample_card())).verdict, Shown)
    assert "loyaltyobject.insert 401" in bench.calls()


def test_no_token_is_no_call_and_one_thread_asks_for_it(bench: Bench) -> None:
    bench.google.tell(Order(503, times=2, verbs=frozenset({"token"})))
    cards = [bench.stale(sample_card())._replace(ref=number) for number in range(30)]
    assert all(isinstance(one.verdict, Later) for one in bench.wallet.refresh(cards, NOW))
    assert bench.calls() == []


def test_the_token_of_an_account_in_use_is_kept_however_many_there_are(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wallet_server.wallets.google.offices.MOST_SESSIONS", 2)
    account = bench.wallet._offices._accounts(0)
    for version in (1, 2, 1, 3):
        bench.wallet._offices._accounts = partial(lambda made, _set: made, replace(account, version=version))
        assert isinstance(bench.put(bench.stale(sample_card())).verdict, Shown)
    bench.google.tell(Order(503, verbs=frozenset({"token"})))
    bench.wallet._offices._accounts = lambda _set: account
    assert isinstance(bench.put(bench.stale(sample_card())).verdict, Shown)


def test_an_account_that_google_does_not_know_is_named(server: GoogleServer) -> None:
    facts: list[bytes] = []
    wallet = wallet_for(server, Facts(), facts, Unlimited())
    stranger = Account(ISSUERS[0], "nobody@shop.iam.gserviceaccount.com", wallet._offices._accounts(0).key_pem, 1)
    wallet._offices._accounts = lambda _: stranger
    identity = replace(sample_identity(), credential_set=0, pass_type=ISSUERS[0])
    stale = Stale(1, 0, ISSUERS[0], (), None, Copy(sample_card(), None, identity, "p"))
    (report,) = wallet.refresh([stale], NOW)
    assert isinstance(report.verdict, Refused)
    assert "nobody@shop" in report.verdict.why
    (report,) = wallet.refresh([stale._replace(copy=replace(stale.copy, identity=sample_identity()))], NOW)  # type: ignore[type-var]
    assert isinstance(report.verdict, Refused), "a card of another issuer is not signed for"


# --- the rate --------------------------------------------------------------------------------------------------


class Slow:
    """So many calls, and then a long wait."""

    def __init__(self, calls: int) -> None:
        self.calls = calls
        self.asked: list[int] = []

    def take(self, issuer: str, want: int) -> tuple[int, float]:
        self.asked.append(want)
        granted = min(want, self.calls)
        self.calls -= granted
        return granted, 0.0 if granted else 30.0


def test_what_the_rate_does_not_allow_waits_its_turn(server: GoogleServer) -> None:
    rates = Slow(12)
    wallet = wallet_for(server, Facts(), [], rates, patience_seconds=0.5)
    bench = Bench(server, Facts(), wallet, [], (f"rate{n}" for n in range(99)))
    wallet.publish(Template(0, "p_7k3qzd", "Léa", sample_card()), NOW)
    server.journal.clear()
    rates.calls = 12
    reports = list(wallet.refresh([bench.stale(sample_card())._replace(ref=n) for n in range(20)], NOW))
    shown = [one for one in reports if isinstance(one.verdict, Shown)]
    later = [one for one in reports if isinstance(one.verdict, Later)]
    assert (len(shown), len(later), len(bench.calls())) == (12, 8, 12)
    assert {one.verdict.seconds for one in later if isinstance(one.verdict, Later)} == {30.0}


# --- over ------------------------------------------------------------------------------------------------------


def test_a_card_that_is_over_is_inactive_in_its_own_words(bench: Bench) -> None:
    stale = bench.stale(newer(sample_card(), "Old"))
    report = bench.put(stale)
    over = bench.wallet.retire(bench.again(stale, report, GALLERY["points"]["voided"], POINTS), NOW)
    assert (over.verdict, over.alerted) == (Shown(), None)
    there = bench.there(stale)
    assert there["state"] == "INACTIVE"
    assert not there.get("messages")
    assert "merchantLocations" not in there
    bare = bench.stale(sample_card())
    report = bench.put(bare)
    assert bench.wallet.retire(bare._replace(copy=None, remote_state=report.remote_state), NOW).verdict == Shown()
    assert bench.there(bare)["state"] == "INACTIVE"
    assert bench.wallet.retire(bare._replace(copy=None, remote_state=None), NOW).verdict == Shown()


@pytest.mark.parametrize("name", ["points", "gift", "event", "coupon"])
def test_an_erased_card_says_nothing_of_anybody(bench: Bench, name: str) -> None:
    stale = bench.stale(next(iter(GALLERY[name].values())))
    report = bench.put(stale)
    kind = f"{json.loads(report.remote_state or '')['k']}Object"
    erased = bench.wallet.erase(stale._replace(copy=None, remote_state=report.remote_state), NOW)
    assert erased.verdict == Shown()
    there = bench.there(stale, kind)
    assert there["state"] == "INACTIVE"
    assert there.keys() <= {"id", "classId", "state", "cardNumber", "hasUsers"}
    assert sample_identity().code not in json.dumps(there)
    gone = stale._replace(remote_state=erased.remote_state)
    assert bench.wallet.erase(gone, NOW).verdict == Shown()
    bench.calls()
    assert bench.put(gone).remote_state == bench.wallet.retire(gone, NOW).remote_state == erased.remote_state
    assert bench.calls() == [], "erased stays erased, whoever still has the card"
    never = bench.stale(sample_card())
    assert bench.wallet.erase(never, NOW).verdict == Shown(), "one that was never there needs nothing"


def test_a_card_of_which_nothing_is_remembered_is_erased_in_the_class_where_it_stands(bench: Bench) -> None:
    stale = bench.stale(sample_card())
    bench.put(stale)
    assert stale.copy
    elsewhere = stale._replace(copy=replace(stale.copy, programme="p_unknown_to_google"))
    assert bench.wallet.erase(elsewhere, NOW).verdict == Shown()
    assert bench.there(stale).keys() <= {"id", "classId", "state"}


def test_an_event_that_moved_moves_for_everybody_with_one_change(bench: Bench) -> None:
    card = GALLERY["event"]["evening"]
    assert card.event is not None
    stales = [bench.stale(card) for _ in range(3)]
    reports = [bench.put(one) for one in stales]
    bench.calls()
    moved = replace(
        card, event=replace(card.event, starts_at="2027-01-06T19:00:00Z", venue={"fr": "Salle", "en": "Hall"})
    )
    for stale, report in zip(stales, reports, strict=True):
        told = bench.put(bench.again(stale, report, replace(moved, details=())))
        assert isinstance(told.verdict, Shown)
    assert bench.calls().count("eventticketclass.patch 200") == 1
    above = bench.google.shelf.find("eventTicketClass", bench.there(stales[0], "eventTicketObject")["classId"])
    assert above is not None
    assert above.body["dateTime"]["start"] == "2027-01-06T20:00:00+01:00"


def test_only_the_sandbox_may_be_another_google(server: GoogleServer) -> None:
    def make(**said: Any) -> GoogleWallet:
        nobody: Any = None
        return GoogleWallet(
            DESIGNS, BANNERS, nobody, picture_url=nobody, rates=Unlimited(), capabilities=Facts(), **said
        )

    make()
    for said in ({"api": server.address}, {"trust_pem": server.trust_pem}, {"save_base": "https://pay.example/save"}):
        with pytest.raises(Misconfigured):
            make(**said)
