"""The ready-made clients against a server: the typed client, the two tills of forty lines, the web shop."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from clients import generate
from tests.pages.house import House, built
from wallet_server.actions.outbox import LANES
from wallet_server.channels.posting import Poster
from wallet_server.delivery.worker import run_once

CLIENTS = Path(__file__).resolve().parents[2] / "clients"
sys.path.insert(0, str(CLIENTS / "python"))

from wallet_client import Client, Problem, Unreachable  # noqa: E402 - it stands beside the product, not within


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with built(tmp_path_factory.mktemp("clients")) as house:
        house.ctx.poster = Poster(sandbox=True)  # the shop of the example is on this machine
        yield house


def test_the_client_is_what_the_document_says() -> None:
    assert generate.written(generate.document()) == generate.FILE.read_text("utf-8"), "run: make client"


def test_a_till_with_the_client(house: House) -> None:
    member = house.member()
    till = Client(house.base, house.shop.till_key)
    assert till.lookups.look_up(code=member.card.code)["balances"]["points"] == 0
    sold = till.counter.sell(code=member.card.code, receipt="C-1", currency="EUR", amount_minor=1250)
    assert sold["balances"]["points"] == 12
    again = till.counter.sell(code=member.card.code, receipt="C-1", currency="EUR", amount_minor=1250)
    assert again["id"] == sold["id"]
    assert till.refunds.refund(sold["id"], reference="C-2", amount_minor=500)["left_minor"] == 750
    with pytest.raises(Problem) as refused:
        till.lookups.look_up(code="nonsense")
    problem = refused.value
    assert (problem.status, problem.code, problem.field) == (400, "unreadable-code", "code")
    assert problem.request_id is not None
    manager = Client(house.base, house.shop.merchant_key)
    (programme,) = manager.back_office.list_programmes()["programmes"]
    assert manager.books.liability(currency="points")["currencies"][0]["currency"] == "points"
    assert "currency" in manager.books.trial_balance_sheet()
    with pytest.raises(Problem) as stranger:
        Client(house.base, house.stranger.merchant_key).back_office.get_programme(programme["id"])
    assert stranger.value.status == 404


@contextmanager
def flaky(house: House, losses: int) -> Iterator[tuple[str, list[str]]]:
    """A door before the server that hands requests on and loses so many answers; and the keys that it saw."""
    keys: list[str] = []

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            names = ("Authorization", "Content-Type", "Idempotency-Key")
            answer = httpx.post(
                house.base + self.path,
                content=body,
                headers={name: self.headers[name] for name in names},
                trust_env=False,
            )
            keys.append(self.headers["Idempotency-Key"])
            if len(keys) <= losses:
                self.close_connection = True
                return
            self.send_response(answer.status_code)
            self.send_header("Content-Type", answer.headers["Content-Type"])
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", keys
        finally:
            server.shutdown()
            thread.join(10)


def test_a_lost_answer_counts_once_and_silence_names_the_key(house: House) -> None:
    member = house.member()
    with flaky(house, losses=2) as (base, keys):
        till = Client(base, house.shop.till_key)
        sold = till.counter.sell(code=member.card.code, receipt="L-1", currency="EUR", amount_minor=300)
        assert sold["balances"]["points"] == 3
        assert len(keys) == 3
        assert len(set(keys)) == 1
    with flaky(house, losses=9) as (base, keys):
        till = Client(base, house.shop.till_key, tries=2)
        with pytest.raises(Unreachable) as silent:
            till.counter.sell(code=member.card.code, receipt="L-2", currency="EUR", amount_minor=400)
    assert set(keys) == {silent.value.idempotency_key}
    till = Client(house.base, house.shop.till_key)
    key = silent.value.idempotency_key
    sold = till.counter.sell(
        code=member.card.code, receipt="L-2", currency="EUR", amount_minor=400, idempotency_key=key
    )
    assert sold["balances"]["points"] == 7


@pytest.mark.parametrize("language", ["python", "javascript"])
def test_a_till_of_forty_lines(house: House, language: str) -> None:
    file = CLIENTS / "examples" / {"python": "till.py", "javascript": "till.mjs"}[language]
    assert len(file.read_text("utf-8").splitlines()) <= 40
    program = sys.executable if language == "python" else shutil.which("node")
    if program is None:
        pytest.skip("THE TILL IN JAVASCRIPT DID NOT RUN: there is no node here")
    member = house.member()
    typed = f"nonsense\n{member.card.code}\n12.50\n1250\n\n"
    said = subprocess.run(
        [program, str(file), house.base, house.shop.till_key, "EUR"],
        input=typed,
        env={**os.environ, "PYTHONPATH": str(CLIENTS / "python")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert said.returncode == 0, said.stderr
    assert "not the code of a loyalty card" in said.stdout
    assert said.stdout.count("Type whole cents") == 1
    assert "12 points" in said.stdout
    assert Client(house.base, house.shop.till_key).lookups.look_up(code=member.card.code)["balances"]["points"] == 12


@contextmanager
def webshop(house: House, secret: str, port: int) -> Iterator[str]:
    command = [sys.executable, str(CLIENTS / "examples/webshop.py"), str(port), house.base, house.shop.till_key, secret]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(CLIENTS / "python")})
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def test_a_web_shop(house: House) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as free:
        port = free.server_port
    manager = Client(house.base, house.shop.merchant_key)
    hook = manager.webhooks.add_webhook(url=f"http://127.0.0.1:{port}/loyalty")
    time.sleep(3.1)  # a new webhook is told of everything from 3 seconds later on
    member = house.member()
    with webshop(house, hook["secret"], port) as base, httpx.Client(base_url=base, trust_env=False) as shop:
        _until(lambda: shop.get("/customers").status_code == 200)
        order = {"order": "1001", "card": member.card.code, "cents": 4200, "currency": "EUR"}
        order["paid_at"] = house.ctx.now().isoformat()
        first = shop.post("/orders", json=order).json()
        assert first["counted"]
        assert shop.post("/orders", json=order).json()["counted"], "reported twice, counted once"
        assert not shop.post("/orders", json={**order, "order": "1002", "card": "nonsense"}).json()["counted"]
        for broken in ({key: order[key] for key in order if key != "card"}, [], {**order, "cents": "1"}):
            refused = shop.post("/orders", json=broken)
            assert (refused.status_code, refused.json()["counted"]) == (422, False)
        assert shop.post("/orders", content=b"{").status_code == 422
        forged = {"webhook-id": "evt_1", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA"}
        assert shop.post("/loyalty", json={}, headers=forged).status_code == 403
        _until(lambda: _told(house, shop) == {"balances": {"points": 42, "status": 42}})
    manager.webhooks.delete_webhook(hook["webhook"])


def _told(house: House, shop: httpx.Client) -> Any:
    for lane in LANES:
        run_once(house.ctx, lane)
    assert house.ctx.couriers.wait(20)
    return next(iter(json.loads(shop.get("/customers").text).values()), None)


def _until(holds: Any) -> None:
    for _ in range(200):
        try:
            if holds():
                return
        except httpx.TransportError:
            pass
        threading.Event().wait(0.1)
    raise AssertionError("waited in vain")
