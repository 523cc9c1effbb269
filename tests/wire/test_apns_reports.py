"""Owns the proof that stale cards become rings and their outcomes one report for each card, over the real wire."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from wallet_server.errors import Misconfigured
from wallet_server.sandbox.apns import Answer, ApnsServer
from wallet_server.sandbox.authority import Authority
from wallet_server.wallets.apple.provider_token import Provider
from wallet_server.wallets.apple.push import Alarm, Bell, Credential, ring_all
from wallet_server.wallets.port import Handle, Later, Refused, Report, Shown, Stale

NOW = datetime.now(UTC)
PASS_TYPE = "pass.com.example.card"
OTHER_TYPE = "pass.com.example.other"
TEAM = "ABCDE12345"
SET, OTHER_SET, BROKEN_SET = 1, 2, 3


@dataclass(frozen=True)
class Pair:
    certificate_pem: bytes
    key_pem: bytes
    pass_type: str
    provider: Provider | None = None


class Ringer:
    """Rings and keeps what was reported and alarmed."""

    def __init__(self, bell: Bell, authority: Authority) -> None:
        self.bell = bell
        self.authority = authority
        self.alarms: list[tuple[int, Alarm]] = []

    def credential(self, credential_set: int) -> Credential:
        if credential_set == BROKEN_SET:
            raise Misconfigured("The certificate of this merchant has expired; upload a new one.")
        pass_type = PASS_TYPE if credential_set == SET else OTHER_TYPE
        return Pair(*self.authority.pass_certificate(pass_type, TEAM), pass_type)

    def ring(self, *stale: Stale) -> dict[int, Report]:
        reports = list(
            ring_all(self.bell, self.credential, stale, NOW, lambda number, alarm: self.alarms.append((number, alarm)))
        )
        by_ref = {report.ref: report for report in reports}
        assert len(reports) == len(by_ref) == len(stale), "exactly one report for each card"
        return by_ref


@pytest.fixture
def ringer(apns: ApnsServer, apns_authority: Authority) -> Iterator[Ringer]:
    bell = Bell(address=apns.address, trust_pem=apns_authority.root_pem, sandbox=True)
    yield Ringer(bell, apns_authority)
    bell.close()


def handle(
    ref: int, token: str, kind: str = "apns", age: timedelta = timedelta(0), *, suspected: bool = False
) -> Handle:
    return Handle(ref, kind, token, NOW - age, suspected)


def card(ref: int, *handles: Handle, credential_set: int = SET, pass_type: str = PASS_TYPE) -> Stale:
    return Stale(ref, credential_set, pass_type, handles, remote_state=f"state {ref}")


def test_each_card_has_one_report_and_each_device_one_push(apns: ApnsServer, ringer: Ringer) -> None:
    shared = handle(10, "aa" * 32)
    reports = ringer.ring(
        card(1, shared, handle(11, "bb" * 32)),
        card(2, shared, handle(12, "AA" * 32)),
        card(3),
        card(4, handle(13, "cc" * 32, kind="androidpass")),
    )
    assert {report.verdict for report in reports.values()} == {Shown()}
    assert reports[1].remote_state == "state 1"
    assert apns.counts.accepted == 2


def test_cards_of_several_credential_sets_are_rung_under_their_own(apns: ApnsServer, ringer: Ringer) -> None:
    reports = ringer.ring(
        card(1, handle(1, "aa" * 32)),
        card(2, handle(2, "bb" * 32), credential_set=OTHER_SET, pass_type=OTHER_TYPE),
        card(3, handle(3, "cc" * 32), credential_set=BROKEN_SET),
        card(4, handle(4, "dd" * 32), credential_set=OTHER_SET, pass_type=PASS_TYPE),
    )
    assert (reports[1].verdict, reports[2].verdict) == (Shown(), Shown())
    assert reports[3].verdict == Refused("credentials: The certificate of this merchant has expired; upload a new one.")
    assert isinstance(reports[4].verdict, Refused)
    assert (apns.counts.accepted, apns.counts.connections) == (2, 2)


def test_the_worst_that_happened_to_a_cards_devices_is_its_verdict(apns: ApnsServer, ringer: Ringer) -> None:
    apns.tell(Answer(429, "TooManyRequests", retry_after_seconds=100), "bb" * 32)
    reports = ringer.ring(card(1, handle(1, "aa" * 32), handle(2, "bb" * 32)), card(2, handle(1, "aa" * 32)))
    assert isinstance(reports[1].verdict, Later)
    assert reports[1].verdict.seconds >= 100
    assert reports[2].verdict == Shown()


def test_a_device_is_dead_only_for_the_registrations_older_than_that_news(apns: ApnsServer, ringer: Ringer) -> None:
    apns.tell(Answer(410, "Unregistered", timestamp=NOW - timedelta(days=1)), "aa" * 32)
    reports = ringer.ring(
        card(1, handle(1, "aa" * 32, age=timedelta(days=2))),
        card(2, handle(2, "aa" * 32)),
        card(3, handle(3, "aa" * 32, age=timedelta(days=3)), handle(4, "bb" * 32)),
    )
    assert [reports[ref].dead for ref in (1, 2, 3)] == [(1,), (), (3,)]
    assert {report.verdict for report in reports.values()} == {Shown()}


def test_a_refused_and_a_junk_token_are_suspect_on_every_card_that_has_them(apns: ApnsServer, ringer: Ringer) -> None:
    apns.tell(Answer(400, "BadDeviceToken"), "bb" * 32)
    reports = ringer.ring(
        card(1, handle(1, "not hexadecimal"), handle(2, "bb" * 32), handle(3, "aa" * 32)),
        card(2, handle(4, "bb" * 32)),
    )
    assert sorted(reports[1].suspect) == [1, 2]
    assert reports[2].suspect == (4,)
    assert {report.verdict for report in reports.values()} == {Shown()}


def test_a_wrong_environment_forgets_nobody_and_is_told_to_the_operator_once(apns: ApnsServer, ringer: Ringer) -> None:
    apns.tell(Answer(400, "BadDeviceToken"))
    reports = ringer.ring(*(card(ref, handle(ref, f"{ref:064x}")) for ref in range(300)))
    accused = {report.ref: report for report in reports.values() if report.accused}
    assert len(accused) == apns.counts.refused.total() == 5
    assert {(report.verdict, report.accused) for report in accused.values()} == {(Shown(), (ref,)) for ref in accused}
    assert all(isinstance(report.verdict, Later) for ref, report in reports.items() if ref not in accused)
    assert not any(report.dead or report.suspect or report.told for report in reports.values())
    assert [(number, alarm.kind) for number, alarm in ringer.alarms] == [(SET, "tokens")]


def test_a_suspected_device_holds_back_itself_alone(apns: ApnsServer, ringer: Ringer) -> None:
    apns.tell(Answer(429, "TooManyRequests"), "bb" * 32)
    doubted = handle(2, "bb" * 32, suspected=True)
    tablet = handle(3, "cc" * 32, kind="androidpass")
    reports = ringer.ring(card(1, handle(1, "aa" * 32), doubted), card(2, doubted, tablet))
    assert (reports[1].verdict, reports[1].told) == (Shown(), (1,))
    assert isinstance(reports[2].verdict, Later), "it has no other"
    assert reports[2].told == ()


def test_what_is_told_names_the_devices_that_took_it(apns: ApnsServer, ringer: Ringer) -> None:
    apns.tell(Answer(410, "Unregistered", timestamp=NOW - timedelta(days=1)), "bb" * 32)
    reports = ringer.ring(
        card(1, handle(1, "aa" * 32), handle(2, "bb" * 32), handle(3, "cc" * 32, kind="androidpass")),
        card(2, handle(4, "aa" * 32)),
    )
    assert (reports[1].told, reports[2].told) == ((1,), (4,)), "old news of one that is back is no push taken"


def test_one_customers_many_junk_devices_stop_nobody(apns: ApnsServer, ringer: Ringer) -> None:
    for number in range(50):
        apns.tell(Answer(400, "BadDeviceToken"), f"{number:064x}")
    prankster = card(1, *(handle(number, f"{number:064x}") for number in range(50)))
    reports = ringer.ring(prankster, *(card(ref, handle(ref, f"{ref:064x}")) for ref in range(100, 160)))
    assert len(reports[1].suspect) == 50
    assert {report.verdict for report in reports.values()} == {Shown()}
    assert ringer.alarms == []


def test_a_rejected_certificate_refuses_its_cards_and_no_others(apns: ApnsServer, ringer: Ringer) -> None:
    apns.tell(Answer(403, "BadCertificate"), "aa" * 32)
    reports = ringer.ring(
        card(1, handle(1, "aa" * 32), handle(9, "cc" * 32)),
        card(2, handle(2, "bb" * 32), credential_set=OTHER_SET, pass_type=OTHER_TYPE),
    )
    assert isinstance(reports[1].verdict, Refused)
    assert "BadCertificate" in reports[1].verdict.why
    assert reports[2].verdict == Shown()
    assert [number for number, _ in ringer.alarms] == [SET]


def test_while_apns_is_down_every_card_comes_later(apns: ApnsServer, ringer: Ringer) -> None:
    apns.run(apns.stop())
    reports = ringer.ring(*(card(ref, handle(ref, f"{ref:064x}")) for ref in range(20)), card(99))
    assert reports.pop(99).verdict == Shown()
    assert all(isinstance(report.verdict, Later) for report in reports.values())
