"""Owns the doctor: looks at an installation from its settings to its books and says of each thing what to do.

It changes nothing. `examine_settings` and `examine_database` need no context, so that they can speak where none can
be built; `examine` goes on from there.
"""

from __future__ import annotations

import ipaddress
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from wallet_server.actions import outbox
from wallet_server.actions.context import Context
from wallet_server.actions.operating import local_tls, proofs, safekeeping, upkeep
from wallet_server.actions.passes.issuing import issuing_set
from wallet_server.actions.people import letters_doctor
from wallet_server.actions.vendors import credentials as vault
from wallet_server.actions.vendors import given_papers, google_doctor, google_limits, push_keys
from wallet_server.errors import WalletError
from wallet_server.records import limits, parties
from wallet_server.records.operating import copying, operating
from wallet_server.records.passes import devices
from wallet_server.records.programme.programmes import ProgrammeRow
from wallet_server.records.vendors import credentials
from wallet_server.rules.counter import codes
from wallet_server.rules.passes.card import ALERT_ORDER, Alert
from wallet_server.rules.passes.compose import Holding, Slip, Store, compose, compose_coupon
from wallet_server.rules.passes.reasons import in_words
from wallet_server.settings import LOCAL, Settings
from wallet_server.wallets.apple.credentials import check, days_left, in_days, said_days
from wallet_server.wallets.google import sentences
from wallet_server.wallets.port import Identity

Level = Literal["ok", "warning", "error"]
APPLE_HOST = "api.push.apple.com"
LITTLE_SPACE, NO_SPACE = 1024**3, 100 * 1024**2
TRUST_ENDS = timedelta(days=60)
"""How long before its end the authority for https is told of: every device has to be told then."""
LATE, STUCK = timedelta(minutes=5), timedelta(hours=1)
_LEVELS: dict[str, Level] = {"error": "error", "warning": "warning", "notice": "ok"}


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `check` is stable; `sentence` says what is so and, unless it is ok, what to do."""

    check: str
    level: Level
    sentence: str


def refused(check_name: str, fault: WalletError) -> Finding:
    """An error as a finding, with everything that it lists."""
    details = [f"{one.path}: {one.sentence}" for one in fault.faults if one.sentence != fault.sentence]
    return Finding(check_name, "error", " ".join([fault.sentence, *details]))


# --- the place -------------------------------------------------------------------------------------------------


def examine_settings(
    settings: Settings, free_bytes: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free
) -> list[Finding]:
    """The public address, Apple's address, the secret keys' place, the disk. `free_bytes` of a folder that exists."""
    found = [Finding("settings", "ok", f"The settings can be read; the environment is {settings.environment}.")]
    found += public_address(settings)
    found += _apns(settings)
    missing = safekeeping.keys_missing(settings)
    if missing is not None and new_here(settings):
        sentence = f"The first start makes them: keep a copy of {settings.data_dir / 'secret.keys'} in another place."
        found.append(Finding("secret-keys", "ok", sentence))
    elif missing is not None:
        found.append(Finding("secret-keys", "warning", f"{missing} A new installation makes its own at first start."))
    folder = next(path for path in (settings.data_dir, *settings.data_dir.parents) if path.is_dir())
    free = free_bytes(folder)
    level: Level = "error" if free < NO_SPACE else "warning" if free < LITTLE_SPACE else "ok"
    advice = "" if level == "ok" else " Make room, or sales will be refused when it is full."
    found.append(Finding("disk", level, f"{free // 1024**2} MB are free at {settings.data_dir}.{advice}"))
    return found


def new_here(settings: Settings) -> bool:
    """Whether nobody has ever started here: there is neither a key nor a database file."""
    file = copying.sqlite_file(settings.database)
    return safekeeping.keys_missing(settings) is not None and file is not None and not file.exists()


def welcome(settings: Settings) -> Finding:
    """What to do first, for whoever looks before there is anything."""
    sentence = (
        f"Welcome: nothing stands at {settings.data_dir} yet. `wallet-server sandbox` lets you try everything on this "
        "machine; `wallet-server found NAME` begins a shop of your own, `wallet-server run` serves it. What is said "
        "below is what phones will need."
    )
    return Finding("welcome", "ok", sentence)


def public_address(settings: Settings) -> Iterator[Finding]:
    """Whether phones can come to WALLET_BASE_URL."""
    url, parts = settings.base_url, urlsplit(settings.base_url)
    host = parts.hostname or ""
    if settings.sandbox:
        yield Finding("base-url", "ok", f"Phones of the sandbox reach {url}.")
        return
    if parts.scheme != "https":
        sentence = f"WALLET_BASE_URL is {url}: iPhones update cards over https only. Give the public https address."
        yield Finding("base-url", "error", sentence)
    if _loopback(host):
        sentence = f"WALLET_BASE_URL names {host}, which is each phone itself: give the public name of this service."
        yield Finding("base-url", "error", sentence)
    elif _private(host) or "." not in host:
        sentence = f"WALLET_BASE_URL names {host}, which phones reach on your own network alone: give a public name."
        yield Finding("base-url", "warning", sentence)
    elif parts.scheme == "https":
        yield Finding("base-url", "ok", f"Phones reach {url}.")


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback or address.is_unspecified


def _private(host: str) -> bool:
    address = _address(host)
    return host.endswith((".local", ".lan", ".internal")) if address is None else address.is_private


def _apns(settings: Settings) -> Iterator[Finding]:
    host = urlsplit(settings.apns_url).hostname
    if host == APPLE_HOST and settings.apns_ca is None:
        yield Finding("apns", "ok", "Phones are rung through Apple's push service.")
    elif settings.sandbox:
        yield Finding("apns", "ok", f"This is a sandbox: phones are rung through {host}, which is not Apple.")
    else:
        sentence = f"NO PHONE IS RUNG THROUGH APPLE: WALLET_APNS_URL or WALLET_APNS_CA points to {host}. Remove both."
        yield Finding("apns", "error", sentence)


def examine_database(settings: Settings) -> list[Finding]:
    """Whether the database answers and stands at the newest migration; nothing is made or changed."""
    kind = "SQLite" if settings.database.startswith("sqlite") else "PostgreSQL"
    try:
        stands, newest = copying.standing(settings.database)
    except WalletError as fault:
        return [refused("database", fault)]
    if stands is None:
        sentence = "The database has no tables yet: `wallet-server run` or `wallet-server db upgrade` makes them."
        return [Finding("database", "error", sentence)]
    if stands != newest:
        sentence = (
            f"The database stands at migration {stands}, this version of the product needs {newest}: make a backup, "
            "then `wallet-server db upgrade` (or install the newer version, if the database is ahead)."
        )
        return [Finding("database", "error", sentence)]
    findings = [Finding("database", "ok", f"{kind} answers and stands at migration {stands}, the newest.")]
    if kind == "SQLite" and settings.workers > 1:
        sentence = f"WALLET_WORKERS is {settings.workers}; SQLite has one writer: set 1, or move to PostgreSQL."
        findings.append(Finding("database", "warning", sentence))
    return findings


# --- what stands in it -----------------------------------------------------------------------------------------


def examine(ctx: Context, *, books: bool = False) -> list[Finding]:
    """Secrets, certificates, programmes and their designs, delivery; with `books` the long audit too."""
    proven = proofs.prove(ctx, books=False)
    found = [Finding("secrets", "ok" if proof.true else "error", proof.sentence) for proof in proven]
    found += _https(ctx)
    found += _certificates(ctx)
    found += [
        Finding("google", one.level, f"{row.pass_type}: {one.sentence}") for row, one in google_doctor.examine(ctx)
    ]
    found += _programmes(ctx)
    found += _delivery(ctx)
    found += [Finding("letters", one.level, one.sentence) for one in letters_doctor.examine(ctx)]
    found += _doubted(ctx)
    found += [Finding("expiry", "error", sentence) for sentence in upkeep.unbooked(ctx)]
    if books:
        faults = upkeep.book_faults(ctx)
        advice = "Stop selling and keep a copy of the database before anything else."
        found += [Finding("books", "error", f"{fault} {advice}") for fault in faults]
        found += [] if faults else [Finding("books", "ok", "The books are true.")]
    return found


def _https(ctx: Context) -> Iterator[Finding]:
    """The certificate that the product made for https, and the authority that devices were told to trust."""
    if ctx.settings.tls != LOCAL:
        return
    now, place, found = ctx.now(), local_tls.folder(ctx.settings), local_tls.standing(ctx)
    if found.authority_ends is None:
        if found.server_ends is None:
            yield Finding("https", "ok", "The first start makes the certificate for https.")
            return
        sentence = (
            f"The authority for https is gone from {place}: put back authority.key and authority.pem (a backup holds "
            "them in tls/), or the next start makes another, which every device must then be told to trust."
        )
        yield Finding("https", "error", sentence)
        return
    if found.locked is not None:
        return  # told with the secrets
    days = days_left(found.authority_ends, now)
    if found.authority_ends - now < TRUST_ENDS:
        sentence = (
            f"The authority for https {_end(days)}. A start within its last {local_tls.RENEW_BEFORE.days} days "
            "makes another: choose the day, and tell every device to trust that one."
        )
        yield Finding("https", "warning" if days > 0 else "error", sentence)
    if found.server_ends is not None and not found.signed:
        sentence = "The certificate for https is not signed by the authority that devices trust: restart the server."
        yield Finding("https", "error", sentence)
    elif found.server_ends is not None and found.server_ends - now < local_tls.RENEW_BEFORE - timedelta(days=1):
        left = days_left(found.server_ends, now)
        sentence = f"The certificate for https {_end(left)} and was not renewed: restart the server."
        yield Finding("https", "warning" if left > 0 else "error", sentence)
    elif found.authority_ends - now >= TRUST_ENDS:
        yield Finding("https", "ok", f"Devices trust the authority for https for {said_days(days)} more.")


def _end(days: int) -> str:
    return f"ends {in_days(days)}" if days > 0 else "has ended"


def _certificates(ctx: Context) -> Iterator[Finding]:
    rows = vault.all_sets(ctx)
    if not rows:
        sentence = "There is no Apple certificate: `wallet-server setup apple` leads you to one."
        yield Finding("certificate", "warning", sentence)
    for row in rows:
        try:
            key = vault.private_key(ctx, row)
        except WalletError as fault:
            mend = "Put back its secret key, or install the certificate anew: `wallet-server setup apple`."
            yield Finding("certificate", "error", f"The key of {vault.name_of(ctx, row)}: {fault.sentence} {mend}")
            continue
        now = ctx.now()
        parts, known = (row.certificate.encode(), key, row.chain.encode()), ctx.settings.apple_intermediates
        seen = check(*parts, now, sandbox=ctx.settings.sandbox, intermediates=known, stored=True)
        for one in seen:
            yield Finding("certificate", _LEVELS[one.severity], f"{row.pass_type}: {one.sentence}")
        if all(one.severity == "notice" for one in seen):
            left = said_days(days_left(row.not_after, now))
            yield Finding("certificate", "ok", f"{row.pass_type} of team {row.team}: {left} left.")
        if row.push_key_id is not None:
            yield _push_key(ctx, row)
    for one in given_papers.look_at(ctx):
        yield Finding("certificate", "warning", f"WALLET_APPLE_… was not installed: {one.sentence}")


def _push_key(ctx: Context, row: credentials.CredentialRow) -> Finding:
    try:
        name = push_keys.provider(ctx, row.push_key_id or 0, row.team).name
    except WalletError as fault:
        mend = "Install it anew, or forget it: `wallet-server setup apple token remove`."
        sentence = f"{row.pass_type} has a push key that cannot be used, and is rung by the certificate meanwhile"
        return Finding("push-key", "error", f"{sentence}: {fault.sentence} {mend}")
    return Finding("push-key", "ok", f"{row.pass_type} is rung with the push key {name}.")


def _programmes(ctx: Context) -> Iterator[Finding]:
    with ctx.look() as tx:
        rows = operating.all_programmes(tx)
    if not rows:
        yield Finding("programme", "warning", "There is no programme yet: publish one, so that members can join.")
    for row in rows:
        try:
            _sample_card(ctx, row)
        except WalletError as fault:
            one = refused("programme", fault)
            yield Finding("programme", "error", f"{row.name} ({row.public_id}): {one.sentence}")
        except upkeep.UNREADABLE as fault:
            sentence = (
                f"{row.name} ({row.public_id}): its version {row.version} cannot be read ({fault}). Publish anew."
            )
            yield Finding("programme", "error", sentence)
        else:
            sentence = f"{row.name} ({row.public_id}), version {row.version}: a sample card can be made and signed."
            yield Finding("programme", "ok", sentence)
            yield from _at_google(ctx, row)


def _at_google(ctx: Context, row: ProgrammeRow) -> Iterator[Finding]:
    """What Google would refuse of the version that stands, and which of its texts small phones cut."""
    with ctx.look() as tx:
        found = google_limits.judge(ctx, tx, row.id, ctx.programme(tx, row.version_id))
    for one in (*found.faults, *found.warnings):
        level: Level = "error" if one in found.faults else "warning"
        where = sentences.part(one.path, "en")
        yield Finding("programme", level, f"{row.name} ({row.public_id}), {where} in Google Wallet: {one.sentence}")


_NOBODY = (
    "It has no certificate: `wallet-server setup apple` leads to one, and it takes it by itself. Nor has it an issuer "
    "at Google: `wallet-server setup google`."
)


def _sample_card(ctx: Context, row: ProgrammeRow) -> None:
    """Compose, check and sign a card as a new member would get it, plain and with each alert, and the coupon
    that it comes with; nothing is stored."""
    if not row.version_id:
        raise WalletError("It has no published version: publish one.")
    with ctx.look() as tx:
        set_id = issuing_set(ctx, tx, row)
        if set_id is None:
            raise WalletError(_NOBODY)
        programme = ctx.programme(tx, row.version_id)
        signer = credentials.credential_set(tx, set_id)
        stores = parties.stores_of_programme(tx, row.id)
    places = tuple(Store(s.name, s.latitude, s.longitude, s.texts, s.public_id) for s in stores)
    now = ctx.now()
    news = dict.fromkeys(programme.languages, "…")
    link = f"{ctx.settings.base_url}/card/sample"
    holding = Holding({}, None, news, places[0] if places else None, places, 1, False, link, link)
    card, _ = compose(programme, holding, now)
    beside = programme.welcome_coupon
    slip = Slip("issued", now, None, holding.home, places, 1, False, link)
    unsigned = codes.first(row.issuer_mark, "0" * 16)
    identity = Identity(
        signer.id,
        signer.pass_type,
        serial="0" * 32,
        token="0" * 43,
        code=codes.write(codes.with_signature(codes.under(unsigned, "1"), bytes(64))),
        web_service_url=f"{ctx.settings.base_url}/apple",
    )
    for alert in (None, *(Alert(facet, {}) for facet in ALERT_ORDER)):
        ctx.wallets[signer.wallet].issue(card, alert, identity, now)
    if beside is not None:
        ctx.wallets[signer.wallet].issue(compose_coupon(programme, beside, slip), None, identity, now)


def _delivery(ctx: Context) -> Iterator[Finding]:
    tally, due, now = outbox.counts(ctx), outbox.next_due(ctx), ctx.now()
    if tally["dead"]:
        sentence = (
            f"{tally['dead']} jobs were given up: see `wallet-server jobs list --dead` for the reason, mend it, then "
            "`wallet-server jobs retry`."
        )
        yield Finding("jobs", "error", sentence)
    late = now - due if due is not None and due < now else timedelta(0)
    level: Level = "error" if late > STUCK else "warning" if late > LATE else "ok"
    advice = "" if level == "ok" else " Nobody delivers, or not fast enough: is `wallet-server run` or `worker` up?"
    minutes = int(late.total_seconds() // 60)
    sentence = f"{tally['due']} jobs are due, the oldest for {minutes} minutes; {tally['waiting']} wait for their time."
    yield Finding("jobs", level, sentence + advice)
    with ctx.look() as tx:
        closed = limits.open_circuits(tx, now)
    for name, (until, why) in sorted(closed.items()):
        reason = in_words(why).removesuffix(".")
        sentence = (
            f"Nothing is sent to {name} until {until:%H:%M} UTC. {reason}. Mend that; it is tried again by itself."
        )
        yield Finding("circuit", "warning", sentence)


def _doubted(ctx: Context) -> Iterator[Finding]:
    """Phones that were refused while nobody was told: the phones are gone, or a setting is wrong; nothing tells which
    but a phone that is surely there."""
    with ctx.look() as tx:
        found = operating.doubted(tx, ctx.now() - devices.TOLD_EVERY)
    names = {row.id: row.pass_type for row in vault.all_sets(ctx)}
    for one in found:
        since = "ever" if one.told_at is None else f"since {one.told_at:%Y-%m-%d %H:%M} UTC"
        who = "1 phone is" if one.phones == 1 else f"{one.phones} phones are"
        sentence = (
            f"{who} doubted under the certificate for {names.get(one.credential_set_id, 'a retired pass type')}, "
            f"nothing told {since}. Sell something to a card that is surely on a phone, such as your own. If it shows "
            "that by itself, the doubted phones are gone and are forgotten within two days; if not, no phone is told: "
            "the certificate was made for another pass type, or WALLET_APNS_URL is not Apple's production service."
        )
        yield Finding("phones", "warning", sentence)


def worst(findings: Sequence[Finding]) -> Level:
    """The level of the worst."""
    levels = {one.level for one in findings}
    return "error" if "error" in levels else "warning" if "warning" in levels else "ok"
