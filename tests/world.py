"""Owns a working installation for tests: a migrated database, a merchant with a store, a till and a programme.

Everything is real but the clock, which stands where the test puts it, and the wallet's doorbell: `Told` signs passes
with the shipped wallet and keeps a list of the phones that would have been rung.
"""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import flask
import flask.testing
import orjson
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from wallet_server import resources
from wallet_server.actions import keys
from wallet_server.actions.announcing import offers
from wallet_server.actions.context import Context, new_id
from wallet_server.actions.counter import till
from wallet_server.actions.once import Facts, asked
from wallet_server.actions.outbox import LANES
from wallet_server.actions.passes import reissuing
from wallet_server.actions.people import enrol
from wallet_server.actions.programme import programs
from wallet_server.actions.programme.programs import Founded, NewStore
from wallet_server.app import create_app
from wallet_server.delivery.worker import run_once
from wallet_server.records import jobs
from wallet_server.records.database import Database, engine_options, open_database
from wallet_server.records.envelope import Keyring
from wallet_server.records.passes import passes
from wallet_server.records.people import members
from wallet_server.records.scope import Scope
from wallet_server.records.vendors import credentials
from wallet_server.rules.passes.card import Alert, Card
from wallet_server.rules.programme.program_default import default_document
from wallet_server.sandbox.authority import Authority
from wallet_server.settings import Settings
from wallet_server.wallets.apple.credentials import Credentials
from wallet_server.wallets.apple.push import Bell
from wallet_server.wallets.apple.wallet import AppleWallet
from wallet_server.wallets.designs import Designs, load_designs
from wallet_server.wallets.drawing import Drawings
from wallet_server.wallets.port import (
    Audience,
    Copy,
    Identity,
    Issued,
    Message,
    NotOffered,
    Report,
    Roll,
    Shown,
    Stale,
    Template,
    TemplateReport,
    Verdict,
    Wallet,
)

NOON = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)
"""A Wednesday, outside everybody's quiet hours."""
PASS_TYPE, TEAM = "pass.test.card", "TEAM123456"
SECRET_KEYS = "k1:" + "QUFB" * 10 + "QUE="


@functools.cache
def authority() -> Authority:
    """The sandbox's certificate authority, made once for each test process."""
    folder = Path(tempfile.mkdtemp(prefix="wallet-authority-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Authority.open(folder, NOON - timedelta(days=1))


@functools.cache
def _credentials() -> Credentials:
    certificate, key = authority().pass_certificate(PASS_TYPE, TEAM)
    return Credentials.load(certificate, key, authority().wwdr_pem, NOON, sandbox=True)


@functools.cache
def designs() -> Designs:
    """The shipped designs, read once for each test process."""
    return load_designs(resources.templates())


@functools.cache
def shipped_wallet() -> AppleWallet:
    """The shipped wallet, built once for each test process: drawing a gauge and loading a key cost a while."""
    bell = Bell(address="https://localhost:1", sandbox=True)
    return AppleWallet(designs(), Drawings(), lambda _set: _credentials(), bell, sandbox=True)


@functools.cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="wallet-application-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@functools.lru_cache(4)
def _application(plain: Settings) -> flask.Flask:
    """The application with these settings, built once for each test process: routes and texts cost a while."""
    return create_app(plain)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **by: float) -> datetime:
        """Move on by a `timedelta(**by)`; returns the new time."""
        self.at += timedelta(**by)
        return self.at


class Told:
    """The shipped wallet, but for the network: `rung` lists what would have been rung; `verdict` is the answer."""

    name = "apple"
    pushes_cards = False

    def __init__(self, real: Wallet) -> None:
        self._real = real
        self.rung: list[Stale] = []
        self.verdict: Callable[[Stale], Report] = lambda stale: Report(stale.ref, Shown(), stale.remote_state)

    def publish(self, template: Template, at: datetime) -> TemplateReport:
        return TemplateReport(NotOffered())

    def issue(self, card: Card, alert: Alert | None, identity: Identity, at: datetime) -> Issued:
        return self._real.issue(card, alert, identity, at)

    def bundle(self, bodies: Sequence[bytes]) -> Issued:
        return self._real.bundle(bodies)

    def link(self, copies: Sequence[Copy], at: datetime) -> Issued:
        return self._real.link(copies, at)

    def refresh(self, stale: Sequence[Stale], at: datetime) -> Iterator[Report]:
        for one in stale:
            self.rung.append(one)
            yield self.verdict(one)

    def tell(self, audience: Audience, message: Message) -> Verdict:
        return NotOffered()

    def untell(self, audience: Audience, message: str) -> Verdict:
        return NotOffered()

    def roll(self, credential_set: int, programmes: Sequence[str], after: str | None) -> Roll | Verdict:
        return NotOffered()

    def retire(self, stale: Stale, at: datetime) -> Report:
        return next(self.refresh((stale,), at))

    def erase(self, stale: Stale, at: datetime) -> Report:
        return self.retire(stale, at)


@dataclass(frozen=True)
class Holder:
    """An enrolled member with the card's code and the pass's own secrets, as a phone has them."""

    member: str
    member_id: int
    pass_public_id: str
    pass_id: int
    serial: str
    token: str
    code: str


@dataclass
class World:
    """One installation with one merchant; `founded` holds its keys, shown once."""

    ctx: Context
    clock: Clock
    told: Told
    founded: Founded
    programme: str
    join_code: str
    credential_set: int
    _numbers: Iterator[int] = field(default_factory=lambda: iter(range(1, 1_000_000)))

    @functools.cached_property
    def app(self) -> flask.Flask:
        """The application over this installation, made when it is first asked for."""
        # Where an installation keeps its data is read through its context alone.
        folder = _folder()
        app = _application(replace(self.ctx.settings, data_dir=folder, database_url=f"sqlite:///{folder}/none.db"))
        app.extensions["wallet"] = self.ctx
        app.extensions["wallet-meter"] = keys.Meter(self.ctx.settings.requests_per_minute)
        return app

    @property
    def till(self) -> Scope:
        """The scope of the till's key."""
        return keys.authenticate(self.ctx, self.founded.till_key)

    @property
    def merchant(self) -> Scope:
        """The scope of the merchant's key."""
        return keys.authenticate(self.ctx, self.founded.merchant_key)

    def number(self) -> str:
        """A fresh text, for receipts and idempotency keys."""
        return f"n{next(self._numbers)}"

    def wish(self, route: str, body: Mapping[str, Any] | None = None) -> Any:
        """A write by the merchant under a key of its own."""
        return asked(self.merchant, route, body or {}, self.number())

    def enrol(self, *, promotions: bool = False, **more: Any) -> Holder:
        """A new member with a card."""
        joining = enrol.Joining(promotions=promotions, **more)
        facts, _ = enrol.enrol(self.ctx, self.merchant, self.programme, joining, self.wish("enrol"))
        return self.holder(facts["pass"])

    def holder(self, pass_public_id: str) -> Holder:
        """Who holds this pass, with what a phone knows of it."""
        ctx = self.ctx
        with ctx.look() as tx:
            row = passes.pass_by_public(tx, pass_public_id)
            assert row is not None
            member = members.members_by_id(tx, [row.member_id])[row.member_id]
            code = passes.newest_codes(tx, [row.id])[row.id]
        return Holder(
            member.public_id,
            member.id,
            row.public_id,
            row.id,
            row.serial,
            ctx.keyring.open(row.token_cipher, f"pass-token:{row.serial}").decode(),
            reissuing.opened(ctx, code.cipher, row.serial)[0],
        )

    def sell(
        self,
        holder: Holder,
        amount_minor: int,
        *,
        receipt: str | None = None,
        key: str | None = None,
        scope: Scope | None = None,
        occurred_at: datetime | None = None,
    ) -> Facts:
        """A sale at the till; returns what was booked."""
        line = till.SaleLine(None, None, 1000, amount_minor, amount_minor, 0, False)
        sold = till.Sold(holder.code, receipt or self.number(), amount_minor, (line,), "EUR", occurred_at)
        return till.sell(self.ctx, scope or self.till, sold, key)[0]

    def redeem(self, holder: Holder, amount: int, *, reference: str | None = None, key: str | None = None) -> Facts:
        """Points spent at the till."""
        wanted = till.Redeemed(holder.code, None, amount, reference or self.number())
        return till.redeem(self.ctx, self.till, wanted, key)[0]

    def second_till(self) -> str:
        """The key of a further till of the same store."""
        wish = self.wish("add-till", {"n": self.number()})
        return str(programs.add_till(self.ctx, self.merchant, self.founded.store, "2", wish)[0]["key"])

    def draft(
        self, text: str | Mapping[str, str] = "Nouveaux croissants", *, tier: str | None = None, days: float = 7
    ) -> str:
        """An announcement that nobody has heard yet, in French or in these languages; its id."""
        texts = {"fr": text} if isinstance(text, str) else text
        wanted = offers.Announcement(texts, tier, self.clock() + timedelta(days=days))
        facts, _ = offers.draft(self.ctx, self.merchant, self.programme, wanted, self.wish("announce"))
        return str(facts["announcement"])

    def announce(
        self, text: str | Mapping[str, str] = "Nouveaux croissants", *, tier: str | None = None, days: float = 7
    ) -> str:
        """An announcement on its way."""
        announcement = self.draft(text, tier=tier, days=days)
        offers.confirm(self.ctx, self.merchant, announcement, self.wish("confirm"))
        return announcement

    def recall(self, announcement: str) -> None:
        """Take it back."""
        offers.recall(self.ctx, self.merchant, announcement, self.wish("recall"))

    def work(self, rounds: int = 50) -> int:
        """Run every due job of every lane until nothing is due at the clock's time; returns how many ran."""
        total = 0
        for _ in range(rounds):
            ran = sum(run_once(self.ctx, lane) for lane in self._due())
            total += ran
            if not ran:
                return total
        raise AssertionError("the jobs never end")

    def carried(self, rounds: int = 50) -> None:
        """The same, with every courier back before the next look, as an address takes two at a time."""
        for _ in range(rounds):
            ran = sum(run_once(self.ctx, lane) for lane in self._due())
            assert self.ctx.couriers.wait(30)
            if not ran:
                return
        raise AssertionError("the messages never end")

    def _due(self) -> list[int]:
        """The lanes in which something is due: one look, where the worker's loops take one for each lane."""
        with self.ctx.look() as tx:
            waiting = [(lane, jobs.next_due(tx, lane)) for lane in LANES]
        return [lane for lane, at in waiting if at is not None and at <= self.clock()]

    def client(self) -> flask.testing.FlaskClient:
        """Flask's own client, without a network."""
        return self.app.test_client()

    def bearer(self, key: str, idempotency_key: str | None = None) -> dict[str, str]:
        """Headers of a caller with this key."""
        headers = {"Authorization": f"Bearer {key}"}
        return headers if idempotency_key is None else headers | {"Idempotency-Key": idempotency_key}


def settings(database_url: str, folder: Path, **more: Any) -> Settings:
    """Settings of a sandbox on this database."""
    plain: dict[str, Any] = {
        "environment": "sandbox",
        "data_dir": folder,
        "database_url": database_url,
        "secret_keys": SECRET_KEYS,
        "base_url": "http://127.0.0.1:9",
        "apns_url": "https://localhost:1",
        "apns_ca": authority().root_pem.decode(),
        "log_level": "error",
    }
    return Settings(**{**plain, **more})


@contextmanager
def founded(
    database_url: str, folder: Path, *, document: Mapping[str, Any] | None = None, **more: Any
) -> Iterator[World]:
    """A world on a migrated, empty database; its connections are closed at the end."""
    plain = settings(database_url, folder, **more)
    clock, told = Clock(NOON), Told(shipped_wallet())
    database = _database(plain)
    ctx = Context(plain, database, Keyring.parse(SECRET_KEYS), clock, wallets={"apple": told}, designs=designs())
    try:
        yield World(ctx, clock, told, *_foundation(ctx, document or default_document("Boulangerie"), repr(more)))
    finally:
        database.close()


Foundation = tuple[Founded, str, str, int]
"""What a `World` knows of its merchant: the keys, the programme, its join code and the set of credentials."""
_STOOD: dict[tuple[str, str], tuple[bytes, bytes, Foundation]] = {}
"""By the document and the settings: the file before, the file afterwards, and what is known of the merchant."""
MOST_STOOD = 40


def _foundation(ctx: Context, document: Mapping[str, Any], more: str) -> Foundation:
    """The merchant, founded. On SQLite the same founding on the same empty database is done once for each test process,
    and its file copied from then on."""
    address = make_url(ctx.settings.database)
    asked_for = orjson.dumps(document).decode(), more
    if address.get_backend_name() != "sqlite" or (asked_for not in _STOOD and len(_STOOD) == MOST_STOOD):
        return _laid(ctx, document)
    file = Path(str(address.database))
    before = file.read_bytes()
    if asked_for not in _STOOD:
        foundation = _laid(ctx, document)
        ctx.database.close()  # the last connection takes the write-ahead log into the file
        _STOOD[asked_for] = before, file.read_bytes(), foundation
        return foundation
    empty, stood, foundation = _STOOD[asked_for]
    if before != empty:
        return _laid(ctx, document)
    file.write_bytes(stood)
    return foundation


def _laid(ctx: Context, document: Mapping[str, Any]) -> Foundation:
    credential_set = _add_credentials(ctx)
    who = programs.found(ctx, "Boulangerie", NewStore("Centre", latitude=48.8, longitude=2.3))
    made = programs.create_programme(ctx, who.account_id, who.merchant_id, document, credential_set)
    return who, made["programme"], made["join_code"], credential_set


_AT: dict[str, Settings] = {}
"""Where each kind of engine connects to just now."""


@functools.cache
def _engine(kind: str) -> sa.Engine:
    """One engine of each kind for each test process: its statements are compiled once, not once a test."""
    engine = open_database(_AT[kind]).engine

    @sa.event.listens_for(engine, "do_connect")
    def _to_the_database_of_this_test(dialect: sa.Dialect, _record: Any, args: list[Any], named: dict[str, Any]) -> Any:
        url = make_url(_AT[kind].database)
        options = engine_options(_AT[kind].database, _AT[kind])
        args[:], found = dialect.create_connect_args(url)
        named.clear()
        named.update(found | options["connect_args"])

    return engine


def _database(plain: Settings) -> Database:
    kind = make_url(plain.database).get_backend_name()
    _AT[kind] = plain
    engine = _engine(kind)
    engine.dispose()
    return Database(engine, plain.database_wait_seconds)


def _add_credentials(ctx: Context) -> int:
    loaded = _credentials()
    with ctx.change() as tx:
        return credentials.add(
            tx,
            new_id("cred"),
            None,
            "apple",
            loaded.pass_type,
            loaded.team,
            credentials.Material(
                loaded.certificate_pem.decode(),
                authority().wwdr_pem.decode(),
                ctx.keyring.seal(loaded.key_pem, f"credential-key:{loaded.pass_type}"),
                loaded.not_before,
                loaded.not_after,
            ),
            ctx.now(),
        )


def together(*calls: Callable[[], Any]) -> list[Any]:
    """Run these at the same time, each in a thread of its own; what each returned or raised, in order."""
    barrier = threading.Barrier(len(calls))
    results: list[Any] = [None] * len(calls)

    def run(number: int, call: Callable[[], Any]) -> None:
        barrier.wait(10)
        try:
            results[number] = call()
        except Exception as fault:  # noqa: BLE001 - the caller looks at what went wrong
            results[number] = fault

    # One that hangs must not keep the whole run from ending.
    threads = [threading.Thread(target=run, args=(n, call), daemon=True) for n, call in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a thread did not end"
    return results
