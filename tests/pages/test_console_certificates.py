"""Owns what is known about the page of certificates: bringing one, all that can be wrong, days left, going back."""

from __future__ import annotations

import io
import logging
import re
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    load_pem_private_key,
    pkcs12,
)
from flask.testing import FlaskClient
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from tests.pages.console import sign_in
from tests.pages.house import House, built
from tests.pages.test_console_desk import INLINE, said
from tests.wallets.samples import like_apple
from wallet_server.actions.vendors import certificates as papers
from wallet_server.actions.vendors import credentials as vault
from wallet_server.records.schema import accounts, credential_sets, programmes
from wallet_server.sandbox.authority import Authority
from wallet_server.wallets.apple.credentials import Credentials

PATH = "/console/certificates"
TEAM = "TEAM777777"
OWN = "pass.com.example.bakery"
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """An installation of this file's own: what signs its cards is changed here."""
    with built(tmp_path_factory.mktemp("house")) as house:
        yield house


@pytest.fixture(scope="session")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """What makes certificates, of an authority that this installation has never seen."""
    return Authority.open(tmp_path_factory.mktemp("portal"), NOW)


def p12(portal: Authority, pass_type: str, password: bytes, *, fresh: bool = False) -> bytes:
    make = portal.renewed_certificate if fresh else portal.pass_certificate
    certificate, key = make(pass_type, TEAM)
    leaf, wwdr = x509.load_pem_x509_certificate(certificate), x509.load_pem_x509_certificate(portal.wwdr_pem)
    lock = BestAvailableEncryption(password)
    return pkcs12.serialize_key_and_certificates(b"pass", load_pem_private_key(key, None), leaf, [wwdr], lock)  # type: ignore[arg-type]


def bring(client: FlaskClient, token: str, lang: str = "en", **fields: bytes | str) -> TestResponse:
    data = {
        name: (io.BytesIO(value), f"{name}.bin") if isinstance(value, bytes) else value
        for name, value in fields.items()
    }
    return client.post(f"{PATH}?lang={lang}", data={"csrf": token, **data}, content_type="multipart/form-data")


def sets(house: House) -> dict[str, int | None]:
    with house.ctx.look() as tx:
        found = tx.execute(sa.select(credential_sets.c.pass_type, credential_sets.c.account_id))
        return {r.pass_type: r.account_id for r in found}


def test_an_owner_sees_days_and_brings_a_p12_that_signs_new_cards(
    client: FlaskClient, house: House, portal: Authority
) -> None:
    house.member()
    (platform,) = (row.pass_type for row in vault.all_sets(house.ctx) if row.account_id is None)
    token = sign_in(client, house)
    page = client.get(PATH)
    assert re.search(r"\d+ days left", said(page))
    assert '<progress max="366"' in page.get_data(as_text=True)
    shown = re.search(r'<option value="(prg_\w+|\w+)">', page.get_data(as_text=True))
    assert shown
    answer = bring(client, token, p12=p12(portal, OWN, b"geheim"), password="geheim", programme=shown[1])
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{PATH}?done=installed")
    assert OWN in said(client.get(answer.headers["Location"]))
    with house.ctx.look() as tx:
        signs = sa.select(credential_sets.c.pass_type).join(
            programmes, programmes.c.credential_set_id == credential_sets.c.id
        )
        assert tx.execute(signs.where(programmes.c.public_id == shown[1])).scalar_one() == OWN
        owner = sa.select(accounts.c.id).join(programmes, programmes.c.account_id == accounts.c.id)
        assert sets(house)[OWN] == tx.execute(owner.where(programmes.c.public_id == shown[1])).scalar_one()

    assert platform in said(client.get(PATH)), "cards on phones are still signed by it"

    again = bring(client, token, p12=p12(portal, OWN, b"geheim"), password="geheim")
    assert again.headers["Location"].endswith("done=there")
    renewed = bring(client, token, p12=p12(portal, OWN, b"x", fresh=True), password="x")
    assert renewed.headers["Location"].endswith("done=renewed")
    back = re.search(rf'action="({PATH}/\w+/back)"', client.get(PATH).get_data(as_text=True))
    assert back
    before = next(row for row in vault.all_sets(house.ctx) if row.pass_type == OWN)
    assert client.post(back[1], data={"csrf": token}).status_code == 303
    after = next(row for row in vault.all_sets(house.ctx) if row.pass_type == OWN)
    assert after.certificate != before.certificate
    deeds = re.findall(rf"Owner [^.]*certificate[^.]* for {OWN}", said(client.get("/console/team")))
    assert [deed.split()[1] for deed in deeds] == ["went", "renewed", "brought"], "bringing the same twice is no deed"
    with house.ctx.change() as tx:
        tx.execute(sa.update(credential_sets).where(credential_sets.c.id == after.id).values(
            not_after=NOW + timedelta(days=12, hours=1)))  # fmt: skip
    assert "ends in 13 days" in said(client.get("/console/today"))
    assert "finit dans 13 jours" in said(client.get("/console/today?lang=fr"))
    assert "Ends soon" in said(client.get(PATH))
    marketer = house.app.test_client()
    sign_in(marketer, house, "marketer")
    assert "ends in 13 days" not in said(marketer.get("/console/today"))


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_all_that_is_wrong_is_shown_at_once_and_nothing_is_kept(
    client: FlaskClient, house: House, portal: Authority, lang: str
) -> None:
    token, before = sign_in(client, house), sets(house)
    certificate, key = portal.pass_certificate("pass.com.example.wrong", TEAM)
    other = portal.pass_certificate("pass.com.example.else", TEAM)[1]
    words = {
        "key": ("does not belong to this certificate", "ne va pas avec ce certificat"),
        "wwdr": ("did not issue", "n’a pas émis"),
        "missing": ("intermediate is not known", "n’est pas encore connu"),
        "p12": ("does not open", "ne s’ouvre pas"),
        "large": ("larger than any certificate", "plus gros que tout certificat"),
        "none": ("There is no certificate", "Il manque le certificat"),
    }
    n = ("en", "fr").index(lang)
    shown = bring(client, token, lang, certificate=certificate, key=other, wwdr=portal.root_pem)
    assert shown.status_code == 400
    assert words["key"][n] in said(shown)
    assert words["wwdr"][n] in said(shown)
    assert not INLINE.search(shown.get_data(as_text=True))
    fresh = Authority.open(Path(tempfile.mkdtemp()), NOW)
    alone = fresh.pass_certificate("pass.com.example.wrong", TEAM)
    assert words["missing"][n] in said(bring(client, token, lang, certificate=alone[0], key=alone[1]))
    assert words["p12"][n] in said(bring(client, token, lang, p12=p12(portal, OWN, b"a"), password="b"))
    assert words["large"][n] in said(bring(client, token, lang, certificate=bytes(65 * 1024), key=key))
    assert words["none"][n] in said(bring(client, token, lang))
    assert sets(house) == before


def test_a_chain_that_merely_bears_apples_names_is_refused_and_one_from_before_is_shown(
    client: FlaskClient, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, before, apple = sign_in(client, house), sets(house), like_apple()
    monkeypatch.setattr(house.ctx, "settings", replace(house.ctx.settings, environment="live"))
    leaf = apple.leaf(starts=NOW - timedelta(days=1), ends=NOW + timedelta(days=300))
    parts = leaf, apple.key, apple.wwdr(days=9000)
    for lang, refused in (("en", "not known to be Apple’s own"), ("fr", "n’est pas connu comme étant le sien")):
        answer = bring(client, token, lang, **dict(zip(("certificate", "key", "wwdr"), parts, strict=True)))
        assert (answer.status_code, refused in said(answer)) == (400, True)
    assert sets(house) == before

    doubts = {"en": "is not known to be Apple’s own", "fr": "n’est pas connu comme étant celui d’Apple"}
    already = {lang: said(client.get(f"{PATH}?lang={lang}")).count(doubt) for lang, doubt in doubts.items()}
    loaded = Credentials.load(*parts, NOW, stored=True)
    vault.install(house.ctx, loaded, vault.Claim(account_id=1))
    for lang, doubt in doubts.items():
        assert said(client.get(f"{PATH}?lang={lang}")).count(doubt) == already[lang] + 1
    own = x509.load_pem_x509_certificate(parts[2]).fingerprint(hashes.SHA256()).hex()
    monkeypatch.setattr(house.ctx, "settings", replace(house.ctx.settings, apple_intermediates=(own,)))
    page = said(client.get(f"{PATH}?lang=en"))
    assert loaded.pass_type in page
    assert page.count(doubts["en"]) == already["en"], "those of the sandbox are not Apple's either"


def test_a_request_that_could_reach_a_disk_is_refused_before_it_is_read(client: FlaskClient, house: House) -> None:
    token = sign_in(client, house)
    house.app.config["MAX_CONTENT_LENGTH"], kept = 16 * 1024 * 1024, house.app.config["MAX_CONTENT_LENGTH"]
    try:
        assert bring(client, token, key=bytes(400 * 1024)).status_code == 413
    finally:
        house.app.config["MAX_CONTENT_LENGTH"] = kept


def test_the_key_is_never_shown_logged_or_written(
    client: FlaskClient,
    house: House,
    portal: Authority,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    token = sign_in(client, house)
    certificate, key = portal.pass_certificate("pass.com.example.quiet", TEAM)
    secret = key.splitlines()[5].decode()
    opened: list[str] = []
    real = io.open

    def watched(file: object, mode: str = "r", *more: object, **named: object) -> object:
        if set(mode) & set("wax+") and not isinstance(file, int):  # a number is a pipe
            opened.append(str(file))
        return real(file, mode, *more, **named)  # type: ignore[call-overload]

    monkeypatch.setattr("builtins.open", watched)
    monkeypatch.setattr(io, "open", watched)
    for maker in ("NamedTemporaryFile", "TemporaryFile"):
        monkeypatch.setattr(tempfile, maker, lambda *_, **__: opened.append("temporary"))
    with capture_logs() as lines, caplog.at_level(logging.DEBUG):
        wrong = bring(client, token, certificate=certificate, key=key, wwdr=portal.root_pem)
        right = bring(client, token, certificate=certificate, key=key, wwdr=portal.wwdr_pem, password="p4ssw0rd-q")
        seen = client.get(PATH)
    assert (wrong.status_code, right.status_code) == (400, 303)
    for page in (wrong, right, seen):
        assert secret not in page.get_data(as_text=True)
        assert "PRIVATE KEY" not in page.get_data(as_text=True)
        assert "p4ssw0rd-q" not in page.get_data(as_text=True)
    assert secret not in f"{lines}{caplog.text}"
    assert "p4ssw0rd-q" not in f"{lines}{caplog.text}"
    assert {line["event"] for line in lines} <= {"certificate brought"}
    assert opened == []


def test_a_strangers_set_is_neither_shown_nor_renewed_nor_gone_back_from(
    client: FlaskClient, house: House, portal: Authority
) -> None:
    theirs = "pass.com.example.theirs"
    stranger = house.app.test_client()
    token = sign_in(stranger, house, merchant_key=house.stranger.merchant_key)
    for fresh in (False, True):
        assert bring(stranger, token, p12=p12(portal, theirs, b"x", fresh=fresh), password="x").status_code == 303
    row = next(one for one in vault.all_sets(house.ctx) if one.pass_type == theirs)
    mine = sign_in(client, house)
    assert theirs not in said(client.get(PATH))
    refused = bring(client, mine, p12=p12(portal, theirs, b"x", fresh=True), password="x")
    assert (refused.status_code, "not yours" in said(refused)) == (400, True)
    assert client.post(f"{PATH}/{row.public_id}/back", data={"csrf": mine}).status_code == 404
    assert next(one for one in vault.all_sets(house.ctx) if one.pass_type == theirs) == row
    platform = next(one for one in vault.all_sets(house.ctx) if one.account_id is None)
    taken = bring(client, mine, p12=p12(portal, platform.pass_type, b"x", fresh=True), password="x")
    assert (taken.status_code, "Whoever runs this installation" in said(taken)) == (400, True)


def test_only_so_many_are_tried_in_an_hour(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(papers, "MOST_AN_HOUR", 8)  # each try is a process
    client = house.app.test_client()
    token = sign_in(client, house, merchant_key=house.stranger.merchant_key)
    codes = [bring(client, token, p12=b"junk").status_code for _ in range(10)]
    assert set(codes[:3]) == {400}
    assert codes[-1] == 429
