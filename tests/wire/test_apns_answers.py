"""Owns the proof of what the bell makes of answers that blame a device, or a setting: who is forgotten, who is doubted,
and when a batch stops."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from tests.wire.ringing import NOW, PASS_TYPE, TEAM, Ring, fates, targets, token
from tests.wire.scripted import free_port, wait_for
from wallet_server.sandbox.apns import Answer, ApnsServer
from wallet_server.sandbox.authority import Authority
from wallet_server.wallets.apple import push
from wallet_server.wallets.apple.push import Bell, Fate, Target


def test_a_410_forgets_a_device_only_when_it_is_newer_than_its_registration(apns: ApnsServer, ring: Ring) -> None:
    apns.tell(Answer(410, "Unregistered", timestamp=NOW + timedelta(seconds=1)), token(1))
    apns.tell(Answer(410, "Unregistered", timestamp=NOW - timedelta(seconds=1)), token(2))
    apns.tell(Answer(410, "Unregistered"), token(3))
    by_ref = {outcome.target.ref: outcome.fate for outcome in ring(300)}
    assert by_ref.pop(1) is Fate.DEAD
    assert set(by_ref.values()) == {Fate.TOLD}
    assert len(by_ref) == 299


def test_a_bad_token_is_suspect(apns: ApnsServer, ring: Ring) -> None:
    for number in (0, 7, 9, 250):
        apns.tell(Answer(400, "BadDeviceToken"), token(number))
    outcomes = ring(500)
    assert {outcome.target.ref for outcome in outcomes if outcome.fate is Fate.SUSPECT} == {0, 7, 9, 250}
    assert fates(outcomes) == {"told": 496, "suspect": 4}


def test_many_bad_tokens_stop_the_batch_and_forget_nobody(apns: ApnsServer, ring: Ring) -> None:
    apns.tell(Answer(400, "BadDeviceToken"))
    outcomes = ring(3_000)
    counted = fates(outcomes)
    assert counted == {"later": 3_000 - apns.counts.refused.total(), "accused": apns.counts.refused.total()}
    assert {outcome.alarm.kind for outcome in outcomes if outcome.alarm} == {"tokens"}
    assert all(outcome.alarm for outcome in outcomes)
    assert counted["accused"] < 10, "on a connection where nothing was accepted only one goes at a time"


def test_more_than_two_in_a_hundred_of_the_first_two_hundred_stop_the_batch(apns: ApnsServer, ring: Ring) -> None:
    for number in (20, 60, 100, 140, 180):
        apns.tell(Answer(400, "BadDeviceToken"), token(number))
    counted = fates(ring(5_000))
    assert set(counted) == {"told", "later", "accused"}
    assert (counted["accused"], counted["told"]) == (5, apns.counts.accepted)
    assert counted["told"] < 1_500


def test_a_wrong_setting_in_the_middle_takes_back_the_suspicions_of_the_window(apns: ApnsServer, ring: Ring) -> None:
    gone = Answer(410, "Unregistered", timestamp=NOW + timedelta(seconds=1))
    apns.tell(gone, token(100))
    for number in range(110, 130):
        apns.tell(Answer(400, "BadDeviceToken"), token(number))
    outcomes = ring(5_000)
    counted = fates(outcomes)
    assert set(counted) == {"told", "later", "accused"}
    assert {outcome.fate for outcome in outcomes if outcome.target.ref == 100} == {Fate.ACCUSED}
    assert counted["told"] < 1_500
    assert apns.counts.accepted == counted["told"]


def test_refusals_add_up_over_calls_and_those_suspected_already_do_not_count(apns: ApnsServer, ring: Ring) -> None:
    apns.tell(Answer(400, "BadDeviceToken"))
    singles = [ring(targets(1, number))[0] for number in range(7)]
    assert [one.alarm is not None for one in singles] == [False] * 4 + [True] + [False] * 2
    assert [one.fate.value for one in singles] == [*["suspect"] * 4, "accused", *["suspect"] * 2]
    known = [target._replace(suspected=True) for target in targets(7)]
    assert [fates(ring(known)) for _ in range(3)] == [{"suspect": 7}] * 3


def test_after_an_alarm_a_410_is_not_taken_at_its_word_until_others_are_taken(apns: ApnsServer, ring: Ring) -> None:
    apns.tell(Answer(400, "BadDeviceToken"))
    assert "accused" in fates(ring(10))
    apns.tell(Answer(410, "Unregistered", timestamp=NOW + timedelta(seconds=1)))
    (doubted,) = ring(targets(1, 20))
    assert (doubted.fate, doubted.alarm) == (Fate.ACCUSED, None)
    apns.tell(None)
    assert fates(ring(targets(3, 30))) == {"told": 3}
    apns.tell(Answer(410, "Unregistered", timestamp=NOW + timedelta(seconds=1)))
    assert fates(ring(targets(1, 20))) == {"dead": 1}


def test_of_many_credentials_the_connections_of_few_are_kept_and_the_answers_of_all(
    apns: ApnsServer, apns_authority: Authority, bell: Bell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push, "CREDENTIALS_KEPT", 2)
    types = [f"{PASS_TYPE}.{number}" for number in range(4)]
    pairs = [(*apns_authority.pass_certificate(pass_type, TEAM), pass_type) for pass_type in types]
    apns.tell(Answer(400, "BadDeviceToken"))
    alarms = [
        [outcome.alarm is not None for pair in pairs for outcome in bell.ring(*pair, targets(1, n), NOW)]
        for n in range(5)
    ]
    assert alarms == [[False] * 4] * 4 + [[True] * 4]
    for _ in range(100):  # a goodbye takes its time to arrive
        if apns.open_connections <= 2:
            break
        time.sleep(0.02)
    assert apns.open_connections == 2


def test_the_devices_of_one_customer_cannot_stop_everybody(apns: ApnsServer, ring: Ring) -> None:
    for number in range(40):
        apns.tell(Answer(400, "BadDeviceToken"), token(number))
    junk = [Target(token(number), NOW, number, owner=1) for number in range(40)]
    outcomes = ring([*junk, *targets(200, 40)])
    assert fates(outcomes) == {"told": 200, "suspect": 40}


def test_a_phone_that_is_refused_again_and_again_is_one_phone(apns: ApnsServer, ring: Ring) -> None:
    apns.tell(Answer(400, "BadDeviceToken"), token(1))
    alone = [ring(targets(1, 1))[0] for _ in range(8)]
    assert {(one.fate, one.alarm) for one in alone} == {(Fate.SUSPECT, None)}
    assert fates(ring(targets(3))) == {"told": 2, "suspect": 1}


def test_devices_that_are_suspected_are_rung_when_the_others_are_answered(
    apns_authority: Authority, identity: tuple[bytes, bytes]
) -> None:
    heard: list[str] = []
    with ApnsServer(apns_authority, on_push=lambda device, *_: heard.append(device)).in_thread() as server:
        bell = Bell(address=server.address, trust_pem=apns_authority.root_pem, sandbox=True)
        server.tell(Answer(delay_seconds=0.2), token(9))  # the slowest of the others is waited for too
        suspected = [Target(token(number), NOW, number, suspected=True) for number in (100, 101)]
        assert fates(list(bell.ring(*identity, PASS_TYPE, [*suspected, *targets(40)], NOW))) == {"told": 42}
        bell.close()
    assert sorted(heard[:40]) == [token(number) for number in range(40)]
    assert sorted(heard[40:]) == [token(100), token(101)]


CONFIGURATION = [
    (403, "BadCertificate"),
    (403, "BadCertificateEnvironment"),
    (403, "Forbidden"),
    (400, "BadTopic"),
    (400, "TopicDisallowed"),
    (400, "DeviceTokenNotForTopic"),
    (405, "MethodNotAllowed"),
    (413, "PayloadTooLarge"),
]


def test_a_configuration_fault_stops_the_batch_and_forgets_nobody(
    apns: ApnsServer, apns_authority: Authority, ring: Ring
) -> None:
    for status, reason in CONFIGURATION:
        bell = Bell(address=apns.address, trust_pem=apns_authority.root_pem, sandbox=True)
        apns.tell(Answer(status, reason))
        outcomes = ring(500, by=bell)
        bell.close()
        blamed = reason == "DeviceTokenNotForTopic"  # it names the device, so that is noted
        assert fates(outcomes) == ({"refused": 499, "accused": 1} if blamed else {"refused": 500}), reason
        assert {outcome.alarm.kind for outcome in outcomes if outcome.alarm} == {"configuration"}, reason
        assert all(outcome.alarm and reason in outcome.why for outcome in outcomes), reason
    assert apns.counts.refused == Counter(reason for _, reason in CONFIGURATION), "one push each was enough"


def test_a_configuration_fault_takes_back_earlier_suspicions(apns: ApnsServer, ring: Ring) -> None:
    apns.tell(Answer(400, "BadDeviceToken"), token(0))
    apns.tell(Answer(403, "BadCertificate"), token(150))
    counted = fates(ring(500))
    assert set(counted) == {"told", "refused", "accused"}
    assert counted["accused"] == 1


def test_a_stray_token_of_another_topic_is_that_devices_fault_where_others_are_taken(
    apns: ApnsServer, ring: Ring
) -> None:
    apns.tell(Answer(400, "DeviceTokenNotForTopic"), token(60))
    assert fates(ring(200)) == {"told": 199, "suspect": 1}


def test_a_certificate_that_tls_rejects_is_a_configuration_fault(apns_authority: Authority, tmp_path: Path) -> None:
    stranger = Authority.open(tmp_path / "other", NOW).pass_certificate(PASS_TYPE, TEAM)
    certificate, key = apns_authority.server_identity()
    for name, content in (("server", certificate + key), ("root", apns_authority.root_pem)):
        (tmp_path / name).write_bytes(content)
    port = free_port()
    strict = ["-Verify", "1", "-verify_return_error", "-CAfile", "root", "-cert", "server", "-alpn", "h2", "-quiet"]
    command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", *strict]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        wait_for(port)
        bell = Bell(address=f"https://127.0.0.1:{port}", trust_pem=apns_authority.root_pem, sandbox=True)
        outcomes = list(bell.ring(*stranger, PASS_TYPE, targets(20), NOW))
        bell.close()
        server.kill()
    assert fates(outcomes) == {"refused": 20}
    assert all(outcome.alarm and "certificate" in outcome.why for outcome in outcomes)


def test_a_key_of_another_certificate_is_a_configuration_fault(
    bell: Bell, apns_authority: Authority, identity: tuple[bytes, bytes]
) -> None:
    other = apns_authority.pass_certificate("pass.com.example.other", TEAM)
    outcomes = list(bell.ring(identity[0], other[1], PASS_TYPE, targets(5), NOW))
    assert fates(outcomes) == {"refused": 5}


def test_a_server_that_is_not_apns_is_not_told_a_single_token(
    apns: ApnsServer, identity: tuple[bytes, bytes], ring: Ring, tmp_path: Path
) -> None:
    elsewhere = Bell(address=apns.address, trust_pem=Authority.open(tmp_path, NOW).root_pem, sandbox=True)
    outcomes = ring(20, by=elsewhere)
    elsewhere.close()
    assert fates(outcomes) == {"refused": 20}
    assert all("trusted roots" in outcome.why and "its key" not in outcome.why for outcome in outcomes)
    assert apns.counts.accepted == 0
