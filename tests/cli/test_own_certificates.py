"""Merchants with certificates of their own: each signs and rings with its own, and one that is spoilt is no other's."""

from __future__ import annotations

import io
import json
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.serialization import pkcs7

from tests.cli.conftest import House
from wallet_server.actions import keys
from wallet_server.actions.context import Context
from wallet_server.actions.counter import till
from wallet_server.actions.once import asked
from wallet_server.actions.operating import operator
from wallet_server.actions.outbox import LANES
from wallet_server.actions.passes import devices, reissuing
from wallet_server.actions.people import enrol
from wallet_server.actions.vendors import credentials as vault
from wallet_server.cli.opening import open_context
from wallet_server.delivery.worker import run_once
from wallet_server.errors import Conflict, Misconfigured
from wallet_server.records.operating import counters, gauges
from wallet_server.records.passes import passes
from wallet_server.records.people import members
from wallet_server.records.schema import accounts, credential_sets, jobs, programmes
from wallet_server.sandbox.apns import Answer, ApnsServer
from wallet_server.sandbox.authority import Authority
from wallet_server.settings import Settings

SHOPS = {"Boulangerie": "pass.com.example.bakery", "Fromagerie": "pass.com.example.cheese"}

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])


def found(house: House, name: str) -> dict[str, Any]:
    made = house.run("found", name)
    assert made.exit_code == 0, made.output
    return dict(json.loads(made.output[made.output.index("{") : made.output.rindex("}") + 1]))


def install(house: House, pass_type: str, programme: str | None) -> Any:
    """A certificate of this pass type, as the portal gives it."""
    certificate, key = house.authority.pass_certificate(pass_type, "TEAM999999")
    words = []
    for option, body in (("certificate", certificate), ("key", key), ("wwdr", house.authority.wwdr_pem)):
        path: Path = house.folder / f"{pass_type}.{option}.pem"
        path.write_bytes(body)
        words += [f"--{option}", str(path)]
    return house.run("setup", "apple", "install", *words, *([] if programme is None else ["--programme", programme]))


def owners(house: House) -> dict[str, str | None]:
    """Pass type -> whose set it is."""
    query = sa.select(credential_sets.c.pass_type, accounts.c.name).outerjoin(
        accounts, accounts.c.id == credential_sets.c.account_id
    )
    with house.ctx.look() as tx:
        return {r.pass_type: r.name for r in tx.execute(query)}


def signed_by(house: House, programme: str) -> str:
    """The pass type of a programme's new cards."""
    query = sa.select(credential_sets.c.pass_type).join(
        programmes, programmes.c.credential_set_id == credential_sets.c.id
    )
    with house.ctx.look() as tx:
        return str(tx.execute(query.where(programmes.c.public_id == programme)).scalar_one())


def test_a_set_belongs_to_whom_it_was_installed_for_and_nobody_else_may_use_it(house: House) -> None:
    (platform,) = owners(house)
    shops = {name: found(house, name) for name in SHOPS}
    for name, facts in shops.items():
        assert signed_by(house, facts["programme"]) == platform, "the platform's, until there is one of its own"
        done = install(house, SHOPS[name], facts["programme"])
        assert done.exit_code == 0, done.output
        assert signed_by(house, facts["programme"]) == SHOPS[name]
    assert owners(house) == {platform: None, **{pass_type: name for name, pass_type in SHOPS.items()}}

    bakery, cheese = (shops[name]["programme"] for name in SHOPS)
    refused = install(house, SHOPS["Boulangerie"], cheese)
    assert (refused.exit_code, "of Boulangerie" in refused.output) == (1, True), refused.output
    with house.ctx.look() as tx:
        programme_id = tx.execute(sa.select(programmes.c.id).where(programmes.c.public_id == cheese)).scalar_one()
    theirs = next(row.id for row in vault.all_sets(house.ctx) if row.pass_type == SHOPS["Boulangerie"])
    with pytest.raises(Conflict) as refusal:
        vault.assign(house.ctx, programme_id, theirs)
    assert refusal.value.code == "foreign-credentials"
    assert signed_by(house, cheese) == SHOPS["Fromagerie"]

    assert install(house, SHOPS["Boulangerie"], None).exit_code == 0  # renewed: it stays whose it was
    assert owners(house)[SHOPS["Boulangerie"]] == "Boulangerie"
    assert install(house, "pass.com.example.newer", None).exit_code == 0
    assert owners(house)["pass.com.example.newer"] is None
    assert signed_by(house, found(house, "Librairie")["programme"]) == "pass.com.example.newer"
    assert signed_by(house, bakery) == SHOPS["Boulangerie"]


@dataclass(frozen=True)
class Customer:
    """A member with a card on a phone."""

    shop: dict[str, Any]
    pass_type: str
    serial: str
    token: str
    code: str
    phone: str

    def fetch(self, ctx: Context) -> bytes | None:
        """The card as the phone gets it."""
        return devices.fetch(ctx, self.pass_type, self.serial, self.token, None).body

    def buy(self, ctx: Context, receipt: str) -> None:
        """A purchase of 10 euros."""
        line = till.SaleLine(None, None, 1000, 1000, 1000, 0, False)
        scope = keys.authenticate(ctx, self.shop["till_key"])
        till.sell(ctx, scope, till.Sold(self.code, receipt, 1000, (line,), "EUR"), None)


def customer(ctx: Context, shop: dict[str, Any], pass_type: str, phone: str) -> Customer:
    scope = operator.scope_in(ctx, shop["programme"], None)
    wish = asked(scope, "enrol", {}, phone)
    facts, _ = enrol.enrol(ctx, scope, shop["programme"], enrol.Joining(), wish)
    with ctx.look() as tx:
        row = passes.pass_by_public(tx, facts["pass"])
        assert row is not None
        assert members.members_by_id(tx, [row.member_id])
        code = passes.newest_codes(tx, [row.id])[row.id]
    token = ctx.keyring.open(row.token_cipher, f"pass-token:{row.serial}").decode()
    text = reissuing.opened(ctx, code.cipher, row.serial)[0]
    assert devices.register(ctx, f"phone-{phone}", pass_type, row.serial, token, "apns", phone * 64)
    return Customer(shop, pass_type, row.serial, token, text, phone * 64)


@contextmanager
def served(house: House, apns: ApnsServer) -> Iterator[Context]:
    """The installation as a server has it: nothing read before, and its phones rung through this push service."""
    ctx = open_context(Settings.from_env({**house.variables, "WALLET_APNS_URL": apns.address}))
    try:
        yield ctx
    finally:
        ctx.database.close()


def work(ctx: Context) -> None:
    """Until nothing is due."""
    for _ in range(20):
        if not sum(run_once(ctx, lane) for lane in LANES):
            return
    raise AssertionError("the jobs never end")


def ended(house: House) -> dict[str, str]:
    """A certificate of the bakery's that was made two years ago, by the same kind of authority."""
    then = datetime.now(UTC) - timedelta(days=730)
    old = Authority.open(house.folder / "old", then)
    certificate, _ = old.pass_certificate(SHOPS["Boulangerie"], "TEAM999999")
    return {"certificate": certificate.decode(), "chain": old.wwdr_pem.decode()}


SPOILT: dict[str, Callable[[House], dict[str, str]]] = {
    "no key": lambda _: {"key_cipher": ""},
    "a key that does not open": lambda _: {"key_cipher": "v1.k1.AAAA"},
    "no certificate": lambda _: {"certificate": "no certificate"},
    "an expired certificate": ended,
    "another intermediate": lambda house: {"chain": house.authority.root_pem.decode()},
}


@pytest.mark.parametrize("how", SPOILT)
def test_one_spoilt_set_leaves_the_other_merchants_cards_signed_and_phones_rung(house: House, how: str) -> None:
    shops = {name: found(house, name) for name in SHOPS}
    for name, facts in shops.items():
        assert install(house, SHOPS[name], facts["programme"]).exit_code == 0
    house.variables["WALLET_COALESCE_SECONDS"] = "0"
    rung: list[str] = []
    with ApnsServer(house.authority, on_push=lambda token, *_: rung.append(token)).in_thread() as apns:
        with served(house, apns) as ctx:
            bakery, cheese = (
                customer(ctx, shops[name], SHOPS[name], phone) for name, phone in zip(SHOPS, "ab", strict=True)
            )
            assert bakery.fetch(ctx)
            assert cheese.fetch(ctx)
            work(ctx)
            with ctx.change() as tx:
                of_bakery = credential_sets.c.pass_type == SHOPS["Boulangerie"]
                tx.execute(sa.update(credential_sets).where(of_bakery).values(**SPOILT[how](house)))
        with served(house, apns) as ctx:
            bakery.buy(ctx, "R-1")
            cheese.buy(ctx, "R-2")
            work(ctx)
            assert set(rung) == {cheese.phone}
            assert cheese.fetch(ctx)
            with pytest.raises(Misconfigured):
                bakery.fetch(ctx)
            joined = customer(ctx, shops["Fromagerie"], SHOPS["Fromagerie"], "c")
            assert joined.fetch(ctx), "others join as before"
            late = customer(ctx, shops["Boulangerie"], SHOPS["Boulangerie"], "d")
            with pytest.raises(Misconfigured):
                late.fetch(ctx)
            joined.buy(ctx, "R-3")
            late.buy(ctx, "R-4")
            work(ctx)
            assert set(rung) == {cheese.phone, joined.phone}
        looked = house.run("doctor")
        named = [line for line in looked.output.splitlines() if SHOPS["Boulangerie"] in line and "error" in line]
        assert (looked.exit_code, bool(named)) == (1, True), looked.output
        assert not [line for line in looked.output.splitlines() if SHOPS["Fromagerie"] in line and "error" in line]


@pytest.mark.parametrize("reason", ["BadCertificate", "BadCertificateEnvironment", "TopicDisallowed"])
def test_a_certificate_that_apple_refuses_rests_its_own_merchants_pushes_alone(house: House, reason: str) -> None:
    shops = {name: found(house, name) for name in SHOPS}
    for name, facts in shops.items():
        assert install(house, SHOPS[name], facts["programme"]).exit_code == 0
    house.variables["WALLET_COALESCE_SECONDS"] = "0"
    rung: list[str] = []
    with ApnsServer(house.authority, on_push=lambda token, *_: rung.append(token)).in_thread() as apns:
        with served(house, apns) as ctx:
            bakery, cheese = (
                customer(ctx, shops[name], SHOPS[name], phone) for name, phone in zip(SHOPS, "ab", strict=True)
            )
            work(ctx)
            apns.tell(Answer(403, reason), bakery.phone)
            rung.clear()
            bakery.buy(ctx, "R-1")
            cheese.buy(ctx, "R-2")
            work(ctx)
            assert rung == [cheese.phone]
            assert bakery.fetch(ctx), "its cards are signed all the same"
            assert customer(ctx, shops["Boulangerie"], SHOPS["Boulangerie"], "c").fetch(ctx)
        looked = house.run("doctor").output
        circuits = [line for line in looked.splitlines() if "circuit" in line]
        assert len(circuits) == 1, looked
        assert reason in circuits[0]
        apns.tell(None, bakery.phone)
        certificate, key = house.authority.renewed_certificate(SHOPS["Boulangerie"], "TEAM999999")
        assert certificate
        assert key
        assert install(house, SHOPS["Boulangerie"], None).exit_code == 0
        assert "circuit" not in house.run("doctor").output, "a renewed certificate is tried at once"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, {"apns-push-type": "background", "apns-priority": "5"}),
        (
            {"WALLET_APNS_PUSH_TYPE": "alert", "WALLET_APNS_PRIORITY": "10", "WALLET_APNS_EXPIRATION_HOURS": "72"},
            {"apns-push-type": "alert", "apns-priority": "10"},
        ),
        ({"WALLET_APNS_PUSH_TYPE": "none"}, {"apns-priority": "5"}),
    ],
)
def test_push_type_priority_and_lifetime_are_settings_and_the_topic_is_always_named(
    house: House, settings: dict[str, str], expected: dict[str, str]
) -> None:
    shop = found(house, "Boulangerie")
    assert install(house, SHOPS["Boulangerie"], shop["programme"]).exit_code == 0
    house.variables |= {"WALLET_COALESCE_SECONDS": "0", **settings}
    heard: list[dict[str, str]] = []
    server = ApnsServer(house.authority, on_push=lambda _token, _topic, headers, _body: heard.append(dict(headers)))
    with server.in_thread() as apns, served(house, apns) as ctx:
        one = customer(ctx, shop, SHOPS["Boulangerie"], "a")
        one.buy(ctx, "R-1")
        work(ctx)
    assert heard
    until = datetime.fromtimestamp(int(heard[-1].pop("apns-expiration")), UTC) - datetime.now(UTC)
    hours = int(settings.get("WALLET_APNS_EXPIRATION_HOURS", 48))
    assert timedelta(hours=hours, minutes=-1) < until <= timedelta(hours=hours + 1)
    assert heard[-1] == {"apns-topic": SHOPS["Boulangerie"], **expected}


SWAPS = 3
PATIENCE_SECONDS = 60.0


def test_a_certificate_swapped_under_load_fails_no_fetch_and_no_push(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vault, "KEPT_SECONDS", 0.5)
    pass_type = SHOPS["Boulangerie"]
    shop = found(house, "Boulangerie")
    assert install(house, pass_type, shop["programme"]).exit_code == 0
    house.variables |= {"WALLET_COALESCE_SECONDS": "0", "WALLET_DATABASE_WAIT_SECONDS": "30"}
    signers: set[str] = set()
    faults: list[BaseException] = []
    fetched = bought = 0
    rung: list[str] = []
    over = threading.Event()
    server = ApnsServer(house.authority, on_push=lambda token, *_: rung.append(token))
    with server.in_thread() as apns, served(house, apns) as ctx:
        customers = [customer(ctx, shop, pass_type, phone) for phone in "abcd"]
        work(ctx)
        rung.clear()

        def fetching() -> None:
            nonlocal fetched
            while not over.is_set():
                for one in customers:
                    body = one.fetch(ctx)
                    assert body
                    signers.add(signer(body))
                    fetched += 1

        def pushing() -> None:
            nonlocal bought
            while not over.is_set():
                for number, one in enumerate(customers):
                    one.buy(ctx, f"L-{bought}-{number}")
                bought += len(customers)
                work(ctx)

        def guarded(loop: Callable[[], None]) -> Callable[[], None]:
            def run() -> None:
                try:
                    loop()
                except BaseException as fault:  # noqa: BLE001 - told by the assertion below
                    faults.append(fault)

            return run

        threads = [threading.Thread(target=guarded(loop), daemon=True) for loop in (fetching, fetching, pushing)]
        for thread in threads:
            thread.start()

        def seen(certificates: int) -> None:
            """Wait until so many certificates have signed, and phones were fetched and rung under the newest, too."""
            end, start = time.monotonic() + PATIENCE_SECONDS, (fetched, len(rung))
            enough = len(customers)
            while len(signers) < certificates or fetched < start[0] + enough or len(rung) < start[1] + enough:
                assert not faults
                assert time.monotonic() < end, "the new certificate was never taken"
                time.sleep(0.05)

        seen(1)
        for swap in range(SWAPS):
            house.authority.renewed_certificate(pass_type, "TEAM999999")
            done = install(house, pass_type, None)  # from another process's point of view: its own context
            assert done.exit_code == 0, done.output
            seen(swap + 2)
        over.set()
        for thread in threads:
            thread.join(60)
        work(ctx)
        ctx.tally.hand_in(ctx.database)
        with ctx.look() as tx:
            totals = counters.totals(tx)
            assert gauges.dead(tx) == 0
            assert tx.execute(sa.select(sa.func.coalesce(sa.func.max(jobs.c.failures), 0))).scalar_one() == 0
    assert faults == []
    assert len(signers) == SWAPS + 1, "each certificate has signed cards"
    assert apns.counts.connections >= SWAPS + 1, "and rung phones"
    assert apns.counts.refused == {}
    assert (totals["pushes:told"], totals.get("pushes:refused", 0), totals.get("pushes:later", 0)) == (
        apns.counts.accepted,
        0,
        0,
    )
    assert len(rung) >= bought > 4 * len(customers)
    assert fetched >= (SWAPS + 1) * len(customers)


def signer(body: bytes) -> str:
    """Which certificate signed this card (the leaf, in its own words)."""
    with zipfile.ZipFile(io.BytesIO(body)) as card:
        found = pkcs7.load_der_pkcs7_certificates(card.read("signature"))
    return next(str(one.serial_number) for one in found if "Pass Type ID" in one.subject.rfc4514_string())
