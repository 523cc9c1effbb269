"""A shop without an Apple certificate: everybody is told the truth, and the first certificate opens the shop."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.pages.console import token_in
from tests.pages.test_pages_served import text_of
from wallet_server.actions import keys
from wallet_server.actions.context import Context
from wallet_server.actions.people import enrol
from wallet_server.actions.programme import programs
from wallet_server.actions.staff import founding
from wallet_server.actions.vendors import credentials as vault
from wallet_server.actions.vendors import signing
from wallet_server.app import create_app
from wallet_server.errors import Misconfigured
from wallet_server.records.database import upgrade
from wallet_server.records.programme import programmes
from wallet_server.rules.programme.program_default import default_document
from wallet_server.sandbox.authority import Authority
from wallet_server.settings import Settings
from wallet_server.wallets.apple.credentials import Credentials

NOBODY = "Nobody can have the card yet"
POSTER = re.compile(r"/console/poster/[^\"]+\.pdf")


@dataclass
class Start:
    """A new installation: nobody there, no certificate."""

    app: Flask
    ctx: Context
    authority: Authority

    def install(self, claim: vault.Claim, identifier: str = "pass.test.card") -> None:
        """A certificate into the vault, as `setup apple` does it."""
        certificate, key = self.authority.pass_certificate(identifier, "TEAM123456")
        wwdr = self.authority.wwdr_pem
        vault.install(self.ctx, Credentials.load(certificate, key, wwdr, self.ctx.now(), sandbox=True), claim)

    def browser(self, agent: str = "") -> FlaskClient:
        """A visitor who reads English."""
        made = self.app.test_client()
        made.environ_base |= {"HTTP_ACCEPT_LANGUAGE": "en", "HTTP_ACCEPT": "text/html", "HTTP_USER_AGENT": agent}
        return made


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    authority = Authority.open(tmp_path / "ca", dt.datetime.now(dt.UTC))
    config = Settings(
        environment="sandbox",
        data_dir=tmp_path,
        base_url="http://127.0.0.1:9",
        apns_url="https://localhost:1",
        apns_ca=authority.root_pem.decode(),
        log_level="error",
    )
    upgrade(config.database)
    app = create_app(config)
    ctx: Context = app.extensions["wallet"]
    yield Start(app, ctx, authority)
    ctx.database.close()


def founded(start: Start) -> tuple[FlaskClient, str]:
    """The owner of a new shop who has published a card, and the path of its join page."""
    owner = start.browser()
    link = founding.first_link(start.ctx)
    assert link
    path = "/" + link.split("/", 3)[3]
    form = {"csrf": token_in(owner.get(path)), "shop": "Fournil", "store": "", "zone": "", "name": "Ana"}
    answer = owner.post(path, data=form | {"email": "ana@example.com", "password": "three words apart 9"})
    assert answer.status_code == 303
    csrf = token_in(owner.get("/console/card"))
    card = {"csrf": csrf, "name": "Fournil", "reward_fr": "un café", "reward_en": "a coffee", "kind": "stamps"}
    owner.post("/console/card", data=card | {"stamps": "10", "revision": "0", "do": "publish"})
    confirming = text_of(owner.get("/console/card/publish"))
    assert NOBODY in confirming
    assert "Customers can take it at once" not in confirming
    answer = owner.post("/console/card/publish", data={"csrf": csrf, "revision": "1", "version": "0"})
    assert answer.location.endswith("/published?first=yes")
    scope = keys.Scope(1, 1, "test", "test", "", frozenset())
    with start.ctx.look() as tx:
        from_scope = programmes.programmes_of(tx, scope)
    return owner, f"/join/{from_scope[0].join_code}"


def test_until_there_is_a_certificate_everybody_is_told_the_truth(start: Start) -> None:
    owner, join = founded(start)
    for page in ("/console/today", "/console/card/published", "/console/poster"):
        text = text_of(owner.get(page))
        assert NOBODY in text, page
        assert "wallet-server setup apple" in text, page
        assert not POSTER.search(text), page
        part = text[text.index("<main") : text.index("</main>")]
        assert page == "/console/today" or 'href="/console/poster"' not in part, page

    done = text_of(owner.get("/console/card/published?first=yes"))
    assert "Your card is published, Apple’s certificate is missing" in done
    assert "ready to be taken" not in done
    assert done.count("Version 1 was published by") == 1

    visitor = start.browser("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Safari/604")
    asked = visitor.get(join)
    assert asked.status_code == 200
    assert "This card is not given out yet" in text_of(asked)
    assert "<form" not in text_of(asked).split("<main", 1)[1]
    sent = visitor.post(join, data={"email": "a@example.com"})
    assert sent.status_code == 503
    assert "Nothing was noted of you." in text_of(sent)
    assert "try again in a minute" not in text_of(sent)
    with pytest.raises(Misconfigured) as refused:
        enrol.join(start.ctx, join.rsplit("/", 1)[1], enrol.Joining())
    assert refused.value.code == "no-certificate"

    start.install(vault.Claim())
    assert visitor.post(join).status_code == 303, "what was published is open at once"
    assert "Your card is ready to be taken" in text_of(owner.get("/console/card/published?first=yes"))
    for path in ("/console/today", "/console/card/published", "/console/poster"):
        assert NOBODY not in text_of(owner.get(path))
    assert POSTER.search(text_of(owner.get("/console/poster")))


def test_a_certificate_is_taken_by_those_who_have_none_and_may(start: Start) -> None:
    ctx = start.ctx
    shops = [programs.found(ctx, name, programs.NewStore("Centre")) for name in ("One", "Two", "Three")]
    for shop in shops:
        programs.create_programme(ctx, shop.account_id, shop.merchant_id, default_document("Shop"), None)

    def waiting() -> list[bool]:
        return [bool(signing.unsigned(ctx, keys.authenticate(ctx, shop.merchant_key))) for shop in shops]

    assert waiting() == [True, True, True]
    start.install(vault.Claim(shops[0].account_id), "pass.test.own")
    assert waiting() == [False, True, True], "an account's own set is its own"
    start.install(vault.Claim())
    assert waiting() == [False, False, False]
    with ctx.look() as tx:
        own = programmes.programmes_of(tx, keys.authenticate(ctx, shops[0].merchant_key))
        others = programmes.programmes_of(tx, keys.authenticate(ctx, shops[1].merchant_key))
    assert own[0].credential_set_id != others[0].credential_set_id, "whoever has one keeps it"
