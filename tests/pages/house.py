"""Owns the house of the page tests: an installation with a bakery and a stranger beside it, served on loopback."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from werkzeug.serving import make_server

from wallet_server.actions.context import Context
from wallet_server.actions.passes import devices
from wallet_server.actions.people import enrol
from wallet_server.actions.programme import programs
from wallet_server.actions.vendors import credentials
from wallet_server.app import create_app
from wallet_server.delivery.worker import run_once
from wallet_server.records.database import upgrade
from wallet_server.records.passes import passes
from wallet_server.rules.programme.program_default import default_document
from wallet_server.sandbox.authority import Authority
from wallet_server.settings import Settings

ORGANISATION = "Boulangerie & Fils"


@dataclass(frozen=True)
class Shop:
    """A merchant with one programme."""

    join_code: str
    merchant_key: str
    till_key: str


@dataclass
class House:
    """A whole installation; `base` is where a browser finds it."""

    app: Flask
    base: str
    shop: Shop
    stranger: Shop
    requests: list[str] = field(default_factory=list)

    @property
    def ctx(self) -> Context:
        ctx: Context = self.app.extensions["wallet"]
        return ctx

    def member(self, shop: Shop | None = None, **joining: Any) -> Member:
        """A new member of the bakery, or of another shop."""
        made = enrol.join(self.ctx, (shop or self.shop).join_code, enrol.Joining(**joining))
        return Member(self, made["pass"])

    def deliver(self) -> None:
        """Carry out what is due, as the worker does."""
        run_once(self.ctx, 0)

    def call(self, path: str, body: dict[str, Any], key: str | None = None) -> dict[str, Any]:
        """A till's own request."""
        headers = {"Authorization": f"Bearer {key or self.shop.till_key}"}
        answer = self.app.test_client().post(path, json=body, headers=headers)
        assert answer.status_code == 200, answer.json
        facts: dict[str, Any] = answer.json
        return facts


@dataclass(frozen=True)
class Member:
    """A member's copy of the card, with what its links carry."""

    house: House
    pass_id: str

    @property
    def path(self) -> str:
        """The web card."""
        return urlsplit(enrol.card_link(self.house.ctx, self.pass_id)).path

    @property
    def stop_path(self) -> str:
        """The link that stops messages."""
        return urlsplit(self.house.ctx.link("stop", self.pass_id)).path

    @property
    def file_path(self) -> str:
        """The pass file, for some minutes from now."""
        return urlsplit(enrol.download_link(self.house.ctx, self.pass_id)).path

    @property
    def card(self) -> enrol.WebCard:
        """What the web card shows."""
        return enrol.web_card(self.house.ctx, self.path.rsplit("/", 1)[1])

    def buy(self, receipt: str, amount_minor: int, shop: Shop | None = None) -> None:
        """A sale, and the refresh of the card."""
        body = {"code": self.card.code, "receipt": receipt, "currency": "EUR", "amount_minor": amount_minor}
        self.house.call("/v1/sales", body, (shop or self.house.shop).till_key)
        self.house.deliver()

    def add_to_phone(self) -> None:
        """What an iPhone does when the card is added to its wallet."""
        ctx = self.house.ctx
        with ctx.look() as tx:
            row = passes.pass_by_public(tx, self.pass_id)
        assert row
        token = ctx.keyring.open(row.token_cipher, f"pass-token:{row.serial}").decode()
        devices.register(ctx, f"phone-{row.serial[:8]}", row.pass_type, row.serial, token, "apns", "ab" * 32)

    def balance(self) -> int:
        """Points, as a till is told."""
        facts = self.house.call("/v1/lookups", {"code": self.card.code})
        return int(facts["balances"]["points"])


@contextmanager
def built(folder: Path, **settings: Any) -> Iterator[House]:
    """The house, while it is served."""
    doors: list[Any] = [None]
    seen: list[str] = []

    def serve(environ: dict[str, Any], start: Any) -> Any:
        seen.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
        return doors[0](environ, start)

    server = make_server("127.0.0.1", 0, serve, threaded=True)
    base = f"http://127.0.0.1:{server.server_port}"
    authority = Authority.open(folder / "ca", dt.datetime.now(dt.UTC))
    wanted = {
        "environment": "sandbox",
        "data_dir": folder,
        "base_url": base,
        "apns_url": "https://localhost:1",
        "apns_ca": authority.root_pem.decode(),
        "coalesce_seconds": 0.0,
        "log_level": "error",
    }
    config = Settings(**{**wanted, **settings})
    upgrade(config.database)
    app = doors[0] = create_app(config)
    ctx = app.extensions["wallet"]
    certificate, key = authority.pass_certificate("pass.test.card", "TEAM123456")
    credential = credentials.add(ctx, None, certificate, key, authority.wwdr_pem)
    shops = [_shop(ctx, name, credential) for name in (ORGANISATION, "Un voisin")]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield House(app, base, *shops, requests=seen)
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


def _shop(ctx: Context, name: str, credential: int) -> Shop:
    made = programs.found(ctx, name, programs.NewStore("Centre", latitude=48.8, longitude=2.3))
    document = default_document(name)
    programme = programs.create_programme(ctx, made.account_id, made.merchant_id, document, credential)
    return Shop(programme["join_code"], made.merchant_key, made.till_key)
