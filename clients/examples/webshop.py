"""A web shop beside the loyalty server: it counts paid orders, and is told by webhook what became of its customers.

    python webshop.py 8900 https://loyalty.example.com key_….… whsec_…

`POST /orders` is what the shop's own software calls when an order was paid: {"order": "1001", "card": "L1.…",
"cents": 4200, "currency": "EUR", "paid_at": "2026-11-22T15:04:05+01:00"}. `POST /loyalty` is the address of the
webhook. `GET /customers` shows what the shop knows: of each member the balances and the tier, as they were told last.
"""

import base64
import hashlib
import hmac
import json
import sys
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from wallet_client import Client, Problem, Unreachable

MOST_BYTES = 1_000_000
ORDER = {"order": str, "card": str, "cents": int, "currency": str, "paid_at": str}


def verify(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether this is the server's own message, of the last five minutes (Standard Webhooks)."""
    sent = headers.get("webhook-timestamp", "")
    if not sent.isdigit() or abs(time.time() - int(sent)) > 300:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers.get('webhook-id', '')}.{sent}.".encode() + body
    mine = "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return any(hmac.compare_digest(mine, one) for one in headers.get("webhook-signature", "").split())


def read(body: bytes) -> dict[str, Any] | None:
    """An order as the shop reports it; None for anything else."""
    try:
        order = json.loads(body)
    except ValueError:
        return None
    sound = isinstance(order, dict) and all(isinstance(order.get(name), kind) for name, kind in ORDER.items())
    return order if sound else None


class Shop(ThreadingHTTPServer):
    """What the shop remembers; a real one has a database for it."""

    def __init__(self, port: int, base: str, key: str, secret: str) -> None:
        super().__init__(("127.0.0.1", port), Door)
        self.till, self.secret = Client(base, key), secret
        self.customers: dict[str, dict[str, Any]] = {}
        self.seen: set[str] = set()

    def told(self, event: dict[str, Any]) -> None:
        """Take in an event; one that comes twice changes nothing."""
        if event["id"] in self.seen:
            return
        self.seen.add(event["id"])
        data = event["data"]
        if event["type"] in ("sale.counted", "sale.refunded"):
            self.customers.setdefault(data["member"], {})["balances"] = data["balances"]
        elif event["type"] == "tier.changed":
            self.customers.setdefault(data["member"], {})["tier"] = data["after"]

    def paid(self, order: dict[str, Any]) -> dict[str, Any]:
        """Count an order. The order's number is the receipt: the shop may report it as often as it likes."""
        try:
            counted = self.till.counter.sell(
                code=order["card"],
                receipt=order["order"],
                currency=order["currency"],
                amount_minor=order["cents"],
                occurred_at=order["paid_at"],
                idempotency_key=f"order-{order['order']}",
            )
        except Problem as problem:
            return {"counted": False, "why": problem.title}
        except Unreachable:
            return {"counted": False, "why": "Report the order again later."}
        return {"counted": True, "sentence": counted["sentence"]}


class Door(BaseHTTPRequestHandler):
    """The shop's three addresses."""

    server: Shop

    def do_POST(self) -> None:
        """An order of the shop, or a message of the loyalty server."""
        body = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), MOST_BYTES))
        if self.path == "/orders":
            order = read(body)
            if order is None:
                return self._answer(422, {"counted": False, "why": f"An order is JSON with {', '.join(ORDER)}."})
            return self._answer(200, self.server.paid(order))
        if self.path != "/loyalty" or not verify(self.server.secret, dict(self.headers.items()), body):
            return self._answer(403, {})
        self.server.told(json.loads(body))
        return self._answer(200, {})

    def do_GET(self) -> None:
        """What is known of the customers."""
        self._answer(200, self.server.customers)

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


if __name__ == "__main__":
    Shop(int(sys.argv[1]), *sys.argv[2:5]).serve_forever()
