"""Owns the proof that the sandbox's Google fails as it is told to, and otherwise keeps its word."""

from __future__ import annotations

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from google.auth.transport.requests import AuthorizedSession

from tests.sandbox.google.conftest import ISSUER, Bench
from wallet_server.sandbox.authority import Authority
from wallet_server.sandbox.google import Discovery, GoogleServer, Order, discovery
from wallet_server.sandbox.google.callbacks import Keys
from wallet_server.sandbox.google.discovery import NoDiscovery

CONNECTION = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)


def test_busy_and_unwell_with_and_without_a_time_to_come_back(bench: Bench, session: AuthorizedSession) -> None:
    _, below = bench.made(session)
    url = bench.url(f"loyaltyObject/{below}")
    for order, word in (
        (Order(429, retry_after_seconds=7), "RESOURCE_EXHAUSTED"),
        (Order(429), "RESOURCE_EXHAUSTED"),
        (Order(500), "INTERNAL"),
        (Order(503, retry_after_seconds=1), "UNAVAILABLE"),
    ):
        bench.google.tell(order)
        answer = session.patch(url, json={"accountName": "Eve"})
        assert (answer.status_code, answer.json()["error"]["status"]) == (order.status, word)
        assert answer.headers.get("Retry-After") == (
            str(order.retry_after_seconds) if order.retry_after_seconds else None
        )
    bench.google.tell(None)
    assert session.get(url).json()["accountName"] == "Ada"


def test_one_issuers_trouble_is_not_anothers(bench: Bench, session: AuthorizedSession) -> None:
    email = bench.account["client_email"]
    other = "3388000000022000004"
    bench.google.issue_account(other, email)
    _, below = bench.made(session)
    bench.google.tell(Order(403), ISSUER)
    assert session.get(bench.url(f"loyaltyObject/{below}")).status_code == 403
    assert session.post(bench.url("loyaltyClass"), json=bench.class_body(id=f"{other}.c")).ok


def test_an_order_for_the_next_but_one_of_a_kind(bench: Bench, session: AuthorizedSession) -> None:
    _, below = bench.made(session)
    url = bench.url(f"loyaltyObject/{below}")
    bench.google.tell(Order(500, verbs=frozenset({"patch"}), after=1, times=2))
    got = [session.patch(url, json={"accountName": str(number)}).status_code for number in range(4)]
    assert session.get(url).ok
    assert got == [200, 500, 500, 200]


@pytest.mark.parametrize("deed", ["insert", "patch", "addMessage", "batch"])
def test_an_answer_is_lost_after_the_change(bench: Bench, session: AuthorizedSession, deed: str) -> None:
    above, below = bench.made(session)
    url = bench.url(f"loyaltyObject/{below}")
    part = f"PATCH /walletobjects/v1/loyaltyObject/{below} HTTP/1.1\r\n\r\n" + '{"accountName": "Eve"}'
    deeds = {
        "insert": ("POST", bench.url("loyaltyObject"), json.dumps(bench.object_body(above, id=f"{below}x"))),
        "patch": ("PATCH", url, '{"accountName": "Eve"}'),
        "addMessage": ("POST", f"{url}/addMessage", '{"message": {"id": "m", "body": "b"}}'),
        "batch": (
            "POST",
            f"{bench.google.address}/batch",
            f"--b\r\nContent-Type: application/http\r\n\r\n{part}\r\n--b--",
        ),
    }
    word, address, body = deeds[deed]
    bench.google.tell(Order(lost=True, times=1))
    with pytest.raises(CONNECTION):
        session.request(word, address, data=body, headers={"Content-Type": "multipart/mixed; boundary=b"})
    if deed == "insert":
        assert session.get(bench.url(f"loyaltyObject/{below}x")).ok
    else:
        shown = session.get(url).json()
        assert shown["accountName"] == "Eve" or [one["id"] for one in shown["messages"]] == ["m"]


def test_slow_is_slow_and_the_published_pace_can_be_kept(bench: Bench, session: AuthorizedSession) -> None:
    _, below = bench.made(session)
    url = bench.url(f"loyaltyObject/{below}")
    bench.google.tell(Order(delay_seconds=0.2, times=1))
    began = time.monotonic()
    assert session.get(url).ok
    assert time.monotonic() - began >= 0.2
    bench.google.switches.per_second = 3
    assert [session.get(url).status_code for _ in range(5)].count(429) == 2


def test_locations_are_refused_where_the_issuer_is_not_allowlisted(bench: Bench, session: AuthorizedSession) -> None:
    above, below = bench.made(session)
    places = {"merchantLocations": [{"latitude": 48.1, "longitude": 11.5}]}
    assert session.patch(bench.url(f"loyaltyObject/{below}"), json=places).ok
    bench.google.allow_locations(ISSUER, allowed=False)
    for answer in (
        session.patch(bench.url(f"loyaltyClass/{above}"), json={**places, "reviewStatus": "UNDER_REVIEW"}),
        session.patch(bench.url(f"loyaltyObject/{below}"), json=places),
    ):
        assert answer.status_code == 400
        assert answer.json()["error"]["message"].startswith("Issuer not allowlisted for Merchant Locations")
    assert session.patch(bench.url(f"loyaltyObject/{below}"), json={"merchantLocations": None}).ok


def test_a_server_that_was_down_is_back_at_the_same_address(bench: Bench, session: AuthorizedSession) -> None:
    _, below = bench.made(session)
    url = bench.url(f"loyaltyObject/{below}")
    bench.google.run(bench.google.stop())
    with pytest.raises(CONNECTION):
        session.get(url)
    bench.google.run(bench.google.start())
    assert session.get(url).json()["id"] == below


def test_what_is_asked_wrongly_is_told_so(bench: Bench, session: AuthorizedSession) -> None:
    above, _ = bench.made(session)
    list_url = bench.url("loyaltyObject")
    for answer, status in (
        (session.get(bench.url("loyaltyThing/1.a")), 404),
        (session.delete(bench.url(f"loyaltyClass/{above}")), 405),
        (session.get(list_url, params={"classId": above, "strict": "true"}), 400),
        (session.get(list_url), 400),
        (session.get(list_url, params={"classId": above, "maxResults": "0"}), 400),
        (session.get(list_url, params={"classId": above, "maxResults": "1", "token": "é"}), 400),
        (session.get(list_url, params={"classId": above, "fields": "a(b"}), 400),
        (session.get(bench.url("loyaltyClass/no id")), 400),
        (session.post(bench.url("loyaltyClass"), data="{"), 400),
        (session.post(bench.url("loyaltyClass"), data="[]"), 400),
        (session.post(bench.url("loyaltyClass"), json={"id": 5}), 400),
        (session.post(f"{bench.google.address}/batch", data="x", headers={"Content-Type": "text/plain"}), 400),
    ):
        assert answer.status_code == status, (answer.request.url, answer.text)
        assert answer.json()["error"]["code"] == status
    assert bench.google.counts["loyaltyobject.list 400"] >= 3


def test_many_at_once_lose_nothing(bench: Bench, session: AuthorizedSession) -> None:
    _, below = bench.made(session)
    url = bench.url(f"loyaltyObject/{below}")
    token = {"Authorization": f"Bearer {session.credentials.token}"}

    def add(number: int) -> int:
        with requests.Session() as one:
            one.verify, one.trust_env = bench.root, False
            change = {"textModulesData": [{"id": str(number), "header": "n", "body": "b"}]}
            return one.patch(url, json=change, headers=token).status_code

    with ThreadPoolExecutor(4) as crowd:
        assert set(crowd.map(add, range(24))) == {200}
    assert session.get(url).json()["version"] == "25"
    assert bench.google.writes[below] == 25


def test_everything_is_there_again_after_a_restart(tmp_path: Path, google_authority: Authority) -> None:
    async def life(issuer: str, later: timedelta = timedelta()) -> tuple[dict[str, str], bytes, Keys]:
        def clock() -> datetime:
            return datetime.now(UTC) + later

        async with GoogleServer(google_authority, folder=tmp_path / "google", clock=clock) as google:
            account = google.issue_account(issuer)
            if google.shelf.find("genericClass", f"{issuer}.c") is None:
                google.resources.insert("genericClass", {"id": f"{issuer}.c"})
            shown = google.shelf.answer(google.shelf.get("genericClass", f"{issuer}.c"))
            return account, shown, google.callbacks.keys

    first, again = asyncio.run(life("5")), asyncio.run(life("5"))
    assert first[1:] == again[1:]
    assert first[0]["private_key"] == again[0]["private_key"]
    assert (tmp_path / "google" / "google.json").stat().st_mode & 0o777 == 0o600
    *_, before = again
    *_, after = asyncio.run(life("5", timedelta(days=8)))
    assert after.root_pem == before.root_pem, "whoever keeps the root goes on"
    assert after.intermediate_pem != before.intermediate_pem, "and the key below it, which has ended, is another"


def test_without_googles_document_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "PLACE", "discovery_cache/documents/none.json")
    with pytest.raises(NoDiscovery, match=r"pip install 'wallet-server\[sandbox\]'"):
        Discovery.load()


def test_it_listens_on_loopback_alone(tmp_path: Path) -> None:
    authority = Authority.open(tmp_path, datetime.now(UTC))
    with pytest.raises(ValueError, match="loopback"):
        GoogleServer(authority, host="192.0.2.1")
