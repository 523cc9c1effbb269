"""Owns the proof that iPhones are rung as APNs wants it, over real connections to the sandbox's APNs server (and to
nghttpd, which shares no code with it), whatever APNs answers and whenever it goes away."""

from __future__ import annotations

import re
import resource
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pycurl
import pytest

from tests.wire.ringing import NOW, PASS_TYPE, Ring, fates, targets, token
from tests.wire.scripted import free_port, wait_for
from wallet_server.errors import Misconfigured
from wallet_server.sandbox.apns import Answer, ApnsServer
from wallet_server.sandbox.authority import Authority
from wallet_server.wallets.apple.push import Bell, BellSettings, Fate, Outcome, Target


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
