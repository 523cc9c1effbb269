"""What every wallet keeps, whatever its vendor: Apple's, Google's, and those that stand in for them in other tests."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from tests.vendor import Vendor
from tests.wallets.samples import NOW, PASS_TYPE, TEMPLATES, sample_card, sample_identity
from tests.world import Told
from wallet_server.errors import Invalid, Misconfigured
from wallet_server.rules.passes.card import Alert, Card
from wallet_server.sandbox.authority import Authority
from wallet_server.sandbox.google import GoogleServer
from wallet_server.wallets.apple.wallet import AppleWallet
from wallet_server.wallets.banner import Banners
from wallet_server.wallets.designs import load_designs
from wallet_server.wallets.google.api import Account
from wallet_server.wallets.google.issuers import Unlimited
from wallet_server.wallets.google.wallet import GoogleWallet
from wallet_server.wallets.port import (
    Audience,
    Copy,
    Handle,
    Message,
    NotOffered,
    Refused,
    Report,
    Shown,
    Stale,
    Template,
    Verdict,
    Wallet,
)

ISSUER, MINE, GONE = "3388000000022000001", 1, 2
"""An issuer, the key of a set that can be used, and of one that cannot."""
PROGRAMME = "prg_7k3qzd"


@dataclass
class Bench:
    """A wallet and the pass type of its set; `serials` are those of passes that nobody has yet."""

    wallet: Wallet
    pass_type: str
    serials: Iterator[str] = field(default_factory=lambda: (f"{number:032x}" for number in count(1)))

    def copy(self, card: Card, alert: Alert | None = None, serial: str | None = None) -> Copy:
        serial = serial or next(self.serials)
        identity = replace(sample_identity(), credential_set=MINE, pass_type=self.pass_type, serial=serial)
        return Copy(card, alert, identity, PROGRAMME)

    def stale(self, ref: int, copy: Copy, credential_set: int = MINE, state: str | None = None) -> Stale:
        given = copy if self.wallet.pushes_cards else None
        return Stale(ref, credential_set, self.pass_type, (), state, given, 3)


@pytest.fixture(scope="module")
def google(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GoogleServer]:
    authority = Authority.open(tmp_path_factory.mktemp("google") / "authority", datetime.now(UTC))
    with GoogleServer(authority).in_thread() as server:
        yield server


class Nothing:
    """Of no issuer is anything known."""

    def locations(self, issuer: str) -> bool | None:
        return None

    def learn(self, issuer: str, allowed: bool) -> None:
        """Forgotten at once."""


def _google(server: GoogleServer) -> GoogleWallet:
    given = server.issue_account(ISSUER)
    account = Account(ISSUER, given["client_email"], given["private_key"].encode(), 1)

    def account_of(credential_set: int) -> Account:
        if credential_set == GONE:
            raise Misconfigured("It is gone.")
        return account

    return GoogleWallet(
        load_designs(TEMPLATES),
        Banners(),
        account_of,
        picture_url=lambda body, _type: f"https://cards.example.com/{hashlib.sha256(body).hexdigest()}.png",
        rates=Unlimited(),
        capabilities=Nothing(),
        api=server.address,
        token_url=server.token_url,
        save_base=server.save_url,
        trust_pem=server.trust_pem,
        sandbox=True,
    )


@pytest.fixture(params=["apple", "google", "told", "vendor"])
def bench(request: pytest.FixtureRequest, wallet: AppleWallet) -> Bench:
    made: dict[str, Callable[[], Bench]] = {
        "apple": lambda: Bench(wallet, PASS_TYPE),
        "told": lambda: Bench(Told(wallet), PASS_TYPE),
        "vendor": lambda: Bench(Vendor(), ISSUER),
        "google": lambda: Bench(_google(request.getfixturevalue("google")), ISSUER),
    }
    return made[request.param]()


def test_each_stale_card_has_one_report_and_none_that_changed_nothing_is_sent_again(bench: Bench) -> None:
    copies = [bench.copy(sample_card()) for _ in range(5)]
    first = {one.ref: one for one in bench.wallet.refresh([bench.stale(*pair) for pair in enumerate(copies)], NOW)}
    assert sorted(first) == [0, 1, 2, 3, 4]
    assert {one.verdict for one in first.values()} == {Shown()}
    again = [bench.stale(ref, copy, state=first[ref].remote_state) for ref, copy in enumerate(copies)]
    assert {one.ref: one.remote_state for one in bench.wallet.refresh(again, NOW)} == {
        ref: one.remote_state for ref, one in first.items()
    }
    assert all(len(one.remote_state or "") < 4000 for one in first.values())
    assert list(bench.wallet.refresh([], NOW)) == []


@pytest.mark.parametrize("bench", ["google"], indirect=True)
def test_a_set_that_cannot_be_used_refuses_its_own_cards_alone(bench: Bench) -> None:
    good, bad = bench.copy(sample_card()), bench.copy(sample_card())
    reports = {
        one.ref: one.verdict for one in bench.wallet.refresh([bench.stale(1, good), bench.stale(2, bad, GONE)], NOW)
    }
    assert reports[1] == Shown()
    assert isinstance(reports[2], Refused)


def test_what_is_given_to_a_customer_is_a_file_or_an_address_and_always_the_same(bench: Bench) -> None:
    copy = bench.copy(sample_card())
    next(bench.wallet.refresh([bench.stale(1, copy)], NOW))
    issued = [bench.wallet.issue(copy.card, copy.alert, copy.identity, NOW) for _ in range(2)]
    assert issued[0] == issued[1]
    assert issued[0].body == issued[1].body
    if bench.wallet.pushes_cards:
        assert issued[0].link is not None
        assert issued[0].body == b""
        assert bench.wallet.link([copy], NOW).link == issued[0].link
        with pytest.raises(Invalid):
            bench.wallet.bundle([b""])
    else:
        assert issued[0].link is None
        assert bench.wallet.bundle([issued[0].body]).body
        with pytest.raises(Invalid):
            bench.wallet.link([copy], NOW)


def test_what_cards_share_is_told_once(bench: Bench) -> None:
    template = Template(MINE, f"prg_{next(bench.serials)}", "Chez Léa", sample_card())
    first = bench.wallet.publish(template, NOW)
    assert first.verdict in (Shown(), NotOffered())
    assert (first.verdict == NotOffered()) is not bench.wallet.pushes_cards
    again = bench.wallet.publish(replace(template, remote_state=first.remote_state), NOW)
    assert (again.verdict, again.remote_state) == (first.verdict, first.remote_state)


def test_a_message_to_everybody_is_sent_or_not_offered(bench: Bench) -> None:
    bench.wallet.publish(Template(MINE, PROGRAMME, "Chez Léa", sample_card()), NOW)
    message = Message("ann_1", {"fr": "Nouveau"}, {"fr": "Venez"}, NOW + timedelta(days=3), notify=False)
    told: list[Verdict] = [bench.wallet.tell(Audience(MINE, PROGRAMME), message) for _ in range(2)]
    assert told[0] == told[1]
    assert told[0] in (Shown(), NotOffered())


def test_the_end_of_a_pass_is_told_and_may_be_told_again(bench: Bench) -> None:
    for end in (bench.wallet.retire, bench.wallet.erase):
        copy = bench.copy(sample_card())
        (shown,) = bench.wallet.refresh([bench.stale(1, copy)], NOW)
        over = end(bench.stale(1, copy, state=shown.remote_state), NOW)
        assert (over.ref, over.verdict) == (1, Shown())
        assert end(bench.stale(1, copy, state=over.remote_state), NOW).verdict == Shown()
        never = bench.copy(sample_card())
        assert end(bench.stale(2, never), NOW).verdict == Shown()


@pytest.mark.parametrize("bench", ["google", "vendor"], indirect=True)
def test_devices_are_never_told_of_by_a_wallet_that_has_none(bench: Bench) -> None:
    stale = bench.stale(1, bench.copy(sample_card()))._replace(handles=(Handle(9, "apns", "ab" * 32, NOW),))
    (report,) = bench.wallet.refresh([stale], NOW)
    assert report == Report(1, Shown(), report.remote_state, saved=report.saved, alerted=report.alerted)
