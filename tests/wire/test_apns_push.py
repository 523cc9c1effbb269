"""Owns the proof that iPhones are rung as APNs wants it, over real connections to the sandbox's APNs server (and to
nghttpd, which shares no code with it), whatever APNs answers and whenever it goes away."""

from __future__ import annotations

import re
import resource
import shutil
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pycurl
import pytest

from wallet_server.errors import Misconfigured
from wallet_server.sandbox.apns import Answer, ApnsServer
from wallet_server.sandbox.authority import Authority
from wallet_server.wallets.apple import push
from wallet_server.wallets.apple.push import Bell, BellSettings, Fate, Outcome, Target

NOW = datetime.now(UTC)
PASS_TYPE = "pass.com.example.card"
TEAM = "ABCDE12345"
HURRIED = BellSettings(timeout_seconds=2.0)

Ring = Callable[..., list[Outcome]]


def token(number: int) -> str:
    return f"{number:064x}"


def targets(count: int, start: int = 0) -> Iterator[Target]:
    return (Target(token(number), NOW, number) for number in range(start, start + count))


def fates(outcomes: list[Outcome]) -> Counter[str]:
    return Counter(outcome.fate.value for outcome in outcomes)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_for(port: int) -> None:
    for _ in range(200):
        with socket.socket() as knock:
            if knock.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nobody listens on port {port}")


@pytest.fixture
def identity(apns_authority: Authority) -> tuple[bytes, bytes]:
    return apns_authority.pass_certificate(PASS_TYPE, TEAM)


@pytest.fixture
def bell(apns: ApnsServer, apns_authority: Authority) -> Iterator[Bell]:
    made = Bell(address=apns.address, trust_pem=apns_authority.root_pem, sandbox=True)
    yield made
    made.close()


@pytest.fixture
def hurried(apns: ApnsServer, apns_authority: Authority) -> Iterator[Bell]:
    """A bell that waits for an answer no longer than two seconds."""
    made = Bell(HURRIED, address=apns.address, trust_pem=apns_authority.root_pem, sandbox=True)
    yield made
    made.close()


@pytest.fixture
def ring(bell: Bell, identity: tuple[bytes, bytes]) -> Ring:
    def call(to: Iterator[Target] | list[Target] | int, by: Bell | None = None) -> list[Outcome]:
        some = targets(to) if isinstance(to, int) else to
        return list((by or bell).ring(*identity, PASS_TYPE, some, NOW))

    return call


def test_two_thousand_sends_survive_a_limit_that_starts_at_one(apns: ApnsServer, ring: Ring) -> None:
    apns.tell(Answer(delay_seconds=0.05))  # so that streams pile up on a slow machine too
    outcomes = ring(2_000)
    assert fates(outcomes) == {"told": 2_000}
    assert sorted(outcome.target.ref for outcome in outcomes) == list(range(2_000))
    assert apns.counts.accepted == 2_000
    assert (apns.counts.connections, apns.counts.overruns) == (1, 0)
    assert apns.counts.most_in_flight > 20


def test_the_same_server_drops_a_libcurl_that_sends_all_at_once(
    apns: ApnsServer, apns_authority: Authority, identity: tuple[bytes, bytes]
) -> None:
    multi = pycurl.CurlMulti()
    handles = []
    for number in range(50):
        curl = pycurl.Curl()
        curl.setopt(pycurl.URL, f"{apns.address}/3/device/{token(number)}")
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE)
        curl.setopt(pycurl.PIPEWAIT, 1)
        curl.setopt(pycurl.NOPROXY, "*")
        curl.setopt(pycurl.POSTFIELDS, "{}")
        curl.setopt(pycurl.SSLCERT_BLOB, identity[0])
        curl.setopt(pycurl.SSLKEY_BLOB, identity[1])
        curl.setopt(pycurl.CAINFO_BLOB, apns_authority.root_pem)
        multi.add_handle(curl)
        handles.append(curl)
    patience = time.monotonic() + 10
    while multi.perform()[1] and time.monotonic() < patience:
        multi.select(0.1)
    assert apns.counts.overruns >= 1
    assert apns.counts.accepted < 50


def test_a_push_is_an_empty_dictionary_with_topic_expiration_and_priority(
    apns_authority: Authority, identity: tuple[bytes, bytes]
) -> None:
    heard: list[tuple[str, str, dict[str, str], bytes]] = []

    def hear(device: str, topic: str, headers: Mapping[str, str], payload: bytes) -> None:
        heard.append((device, topic, dict(headers), payload))

    with ApnsServer(apns_authority, on_push=hear).in_thread() as server:
        bell = Bell(address=server.address, trust_pem=apns_authority.root_pem, sandbox=True)
        outcomes = list(bell.ring(*identity, PASS_TYPE, [Target("AB" * 32, NOW)], NOW))
        bell.close()
    assert fates(outcomes) == {"told": 1}
    ((device, topic, headers, payload),) = heard
    assert (device, topic, payload) == ("ab" * 32, PASS_TYPE, b"{}")
    until = datetime.fromtimestamp(int(headers.pop("apns-expiration")), UTC)
    assert timedelta(hours=24) <= until - NOW <= timedelta(days=3)
    assert headers == {"apns-topic": PASS_TYPE, "apns-priority": "5", "apns-push-type": "background"}


def test_the_connection_is_kept_between_calls(apns: ApnsServer, ring: Ring) -> None:
    for _ in range(3):
        assert fates(ring(20)) == {"told": 20}
    assert apns.counts.connections == 1
    assert apns.open_connections == 1


def test_several_threads_share_a_bell(apns: ApnsServer, ring: Ring) -> None:
    def part(number: int) -> list[Outcome]:
        return ring(targets(100, number * 100))

    with ThreadPoolExecutor(4) as pool:
        outcomes = [one for some in pool.map(part, range(4)) for one in some]
    assert fates(outcomes) == {"told": 400}
    assert apns.counts.accepted == 400
    assert apns.counts.connections <= 4


def test_the_depth_never_exceeds_what_apns_announces(apns_authority: Authority, identity: tuple[bytes, bytes]) -> None:
    with ApnsServer(apns_authority, streams=7).in_thread() as server:
        server.tell(Answer(delay_seconds=0.05))  # answered at once, a slow sender would never have seven under way
        bell = Bell(address=server.address, trust_pem=apns_authority.root_pem, sandbox=True)
        outcomes = list(bell.ring(*identity, PASS_TYPE, targets(150), NOW))
        bell.close()
    assert fates(outcomes) == {"told": 150}
    assert (server.counts.most_in_flight, server.counts.overruns, server.counts.connections) == (7, 0, 1)


def test_the_depth_follows_the_latency(apns: ApnsServer, ring: Ring) -> None:
    apns.tell(Answer(delay_seconds=0.4))  # three hundred are sent within that on any machine
    assert fates(ring(700)) == {"told": 700}
    assert apns.counts.most_in_flight > 300
    assert apns.counts.overruns == 0


@pytest.mark.slow
def test_more_connections_are_opened_only_when_there_is_much_to_send(apns: ApnsServer, ring: Ring) -> None:
    apns.tell(Answer(delay_seconds=0.05))
    assert fates(ring(1_000)) == {"told": 1_000}
    assert apns.counts.connections == 1
    for _ in range(3):  # what all calls had to send counts
        assert fates(ring(1_500)) == {"told": 1_500}
    assert 2 <= apns.counts.connections <= 4
    assert apns.counts.overruns == 0


# APNs goes away, in all the ways it can.


def test_what_a_goodbye_leaves_unanswered_is_sent_again(apns: ApnsServer, ring: Ring) -> None:
    ring(1)
    apns.say_goodbye(after=20)
    assert fates(ring(300)) == {"told": 300}
    assert apns.counts.accepted == 301
    assert (apns.counts.connections, apns.counts.overruns) == (2, 0)


def test_what_a_cut_connection_leaves_unanswered_is_sent_again(apns: ApnsServer, ring: Ring) -> None:
    ring(1)
    apns.tell(Answer(delay_seconds=0.5))

    def cut_in_the_middle() -> None:
        for _ in range(5_000):
            if apns.counts.accepted > 1:  # something has come in, and none of it is answered yet
                apns.hang_up_soon()
                return
            time.sleep(0.002)

    cut = threading.Thread(target=cut_in_the_middle)
    cut.start()
    assert fates(ring(90)) == {"told": 90}
    cut.join()
    assert apns.counts.connections == 2
    assert apns.counts.accepted > 91  # what was in flight has been told twice, and that is harmless


def test_a_connection_that_the_server_closed_while_idle_is_replaced(apns: ApnsServer, ring: Ring) -> None:
    assert fates(ring(10)) == {"told": 10}
    apns.hang_up_soon()
    assert fates(ring(50)) == {"told": 50}
    assert (apns.counts.connections, apns.counts.overruns) == (2, 0)


def test_an_apns_that_cuts_everything_is_left_alone_after_some_tries(apns: ApnsServer, ring: Ring) -> None:
    apns.tell(Answer(silent=True))
    stop = threading.Event()

    def cut() -> None:
        while not stop.wait(0.02):
            apns.hang_up_soon()

    saboteur = threading.Thread(target=cut)
    saboteur.start()
    outcomes = ring(500)
    stop.set()
    saboteur.join()
    assert fates(outcomes) == {"later": 500}
    assert apns.counts.connections <= 10


def test_while_apns_is_down_everything_comes_later_and_then_goes_through(apns: ApnsServer, ring: Ring) -> None:
    ring(5)
    apns.run(apns.stop())
    outcomes = ring(5_000)
    assert fates(outcomes) == {"later": 5_000}
    assert all(0 < outcome.seconds < 30 and outcome.why for outcome in outcomes)
    assert len({outcome.seconds for outcome in outcomes}) > 1_000, "without jitter they all come back at once"
    assert outcomes[0].alarm is None
    apns.run(apns.start())
    assert fates(ring(50)) == {"told": 50}


def test_a_silent_apns_is_given_up_after_one_timeout(apns: ApnsServer, hurried: Bell, ring: Ring) -> None:
    apns.tell(Answer(silent=True))
    assert fates(ring(3_000, by=hurried)) == {"later": 3_000}
    assert apns.counts.connections == 1


def test_one_push_without_an_answer_does_not_hold_up_the_others(apns: ApnsServer, hurried: Bell, ring: Ring) -> None:
    apns.tell(Answer(silent=True), token(50))
    outcomes = ring(60, by=hurried)
    assert fates(outcomes) == {"told": 59, "later": 1}
    assert next(outcome.target.ref for outcome in outcomes if outcome.fate is Fate.LATER) == 50


@pytest.mark.parametrize("status", [500, 503])
def test_an_unwell_apns_is_asked_no_more_than_a_few_times(apns: ApnsServer, ring: Ring, status: int) -> None:
    apns.tell(Answer(status, "Shutdown", retry_after_seconds=40))
    outcomes = ring(2_000)
    assert fates(outcomes) == {"later": 2_000}
    assert apns.counts.refused.total() <= 20
    assert all(outcome.seconds >= 20 for outcome in outcomes)


def test_a_single_500_is_retried_later_and_the_rest_is_told(apns: ApnsServer, ring: Ring) -> None:
    apns.tell(Answer(500, "InternalServerError"), token(3))
    assert fates(ring(100)) == {"told": 99, "later": 1}


def test_too_many_requests_rests_that_device_alone_for_as_long_as_apns_says(apns: ApnsServer, ring: Ring) -> None:
    apns.tell(Answer(429, "TooManyRequests", retry_after_seconds=120), token(3))
    outcomes = ring(100)
    assert fates(outcomes) == {"told": 99, "later": 1}
    rest = next(outcome.seconds for outcome in outcomes if outcome.fate is Fate.LATER)
    assert 120 <= rest <= 130


# What answers say about a device.


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


# What is given to the bell.


def test_a_token_is_rung_once_in_a_call(apns: ApnsServer, ring: Ring) -> None:
    assert fates(ring([*targets(30), *targets(30), Target(token(3).upper(), NOW)])) == {"told": 30}
    assert apns.counts.accepted == 30


def test_tokens_that_are_none_are_suspect_and_never_sent(apns: ApnsServer, ring: Ring) -> None:
    junk = ["", "zz", "abc", "../../x", "ab\r\ncd", "é", "a" * 2_000, "ab/cd", "%61"]
    outcomes = ring([*(Target(text, NOW, 1) for text in junk), *targets(2, 2)])
    assert fates(outcomes) == {"suspect": len(junk), "told": 2}
    assert {outcome.target.ref for outcome in outcomes if outcome.fate is Fate.SUSPECT} == {1}
    assert (apns.counts.accepted, apns.counts.refused.total()) == (2, 0)


def test_an_abandoned_call_leaves_nothing_behind(apns: ApnsServer, bell: Bell, identity: tuple[bytes, bytes]) -> None:
    outcomes = bell.ring(*identity, PASS_TYPE, targets(1_000), NOW)
    assert next(outcomes).fate is Fate.TOLD
    outcomes.close()  # type: ignore[attr-defined]
    assert fates(list(bell.ring(*identity, PASS_TYPE, targets(10), NOW))) == {"told": 10}
    assert apns.counts.accepted < 500


@pytest.mark.parametrize(
    "address",
    [
        "https://api.sandbox.push.apple.com",
        "https://127.0.0.1:8443",
        "http://api.push.apple.com",
        "https://api.push.apple.com.example.org",
        "https://api.push.apple.com:8443",
        "https://user@api.push.apple.com",
    ],
)
def test_an_address_that_is_not_apples_is_refused_outside_the_sandbox(address: str) -> None:
    with pytest.raises(Misconfigured):
        Bell(address=address)


def test_a_trust_root_of_ones_own_is_refused_outside_the_sandbox(apns_authority: Authority) -> None:
    with pytest.raises(Misconfigured, match="root"):
        Bell(trust_pem=apns_authority.root_pem)
    Bell(address="https://api.push.apple.com:2197").close()


@pytest.mark.parametrize(
    "settings", [BellSettings(expiration_seconds=0), BellSettings(priority=10), BellSettings(depth=0)]
)
def test_settings_that_apns_would_refuse_are_refused_here(settings: BellSettings) -> None:
    with pytest.raises(Misconfigured):
        Bell(settings)


# Against a server that shares no code with ours.


@pytest.fixture
def nghttpd(apns_authority: Authority, tmp_path: Path) -> Iterator[str]:
    program = shutil.which("nghttpd", path="/usr/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        pytest.skip("nghttpd is not installed (package nghttp2-server)")
    certificate, key = apns_authority.server_identity()
    (tmp_path / "certificate").write_bytes(certificate)
    (tmp_path / "key").write_bytes(key)
    (tmp_path / "taken").touch()
    port = free_port()
    command = [program, "-a", "127.0.0.1", "-V", "-d", ".", str(port), "key", "certificate"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL) as process:
        wait_for(port)
        yield f"https://127.0.0.1:{port}/taken?"  # it serves files: one answers every device, named in the query
        process.terminate()


def _resident_kb() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.mark.slow
def test_fifty_thousand_targets_cost_no_more_memory_than_five_thousand(
    nghttpd: str, apns_authority: Authority, identity: tuple[bytes, bytes]
) -> None:
    bell = Bell(BellSettings(connections=1), address=nghttpd, trust_pem=apns_authority.root_pem, sandbox=True)
    pulled = told = furthest = early = 0

    def source() -> Iterator[Target]:
        nonlocal pulled
        for target in targets(50_000):
            pulled += 1
            yield target

    for outcome in bell.ring(*identity, PASS_TYPE, source(), NOW):
        told += outcome.fate is Fate.TOLD
        furthest = max(furthest, pulled - told)
        if told == 40_000:
            early = _resident_kb()
    late = _resident_kb()
    bell.close()
    assert told == 50_000
    assert furthest <= 1_500, "targets are pulled only as they are needed"
    assert late - early < 6_000
