"""Owns the way to real Apple certificates: the key and its request, what to click, and the checks before the vault."""

from __future__ import annotations

import os
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from wallet_server.actions.context import Context
from wallet_server.actions.vendors import credentials as vault
from wallet_server.actions.vendors.credentials import Installed
from wallet_server.errors import Conflict, Invalid
from wallet_server.records.operating import operating
from wallet_server.rules.characters import blank
from wallet_server.wallets.apple import unlocking
from wallet_server.wallets.apple.credentials import Credentials, Finding, make_request
from wallet_server.wallets.apple.papers import Papers, Upload, examine

MOST_BYTES = 256 * 1024
MOST_KNOWN = 20
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_LETTERS = str.maketrans({"ß": "ss", "œ": "oe", "æ": "ae", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})
"""Letters that are no letter with a mark, as a file's name writes them."""

PORTAL = """\
1. Open https://developer.apple.com/account/resources/identifiers/list/passTypeId (you need a paid developer account).
   If your pass type is not listed: + > Pass Type IDs > Continue; give a description and an identifier such as
   pass.com.example.card. It is fixed for life: cards on phones know it.
2. Choose that pass type, then Create Certificate, and upload {request}
3. Download the certificate (pass.cer).
4. Open https://www.apple.com/certificateauthority/ and download "Worldwide Developer Relations - G4".
5. Your team id stands at the top right of the portal, or under Membership (ten letters and digits)."""


@dataclass(frozen=True)
class Request:
    """The two files of a certificate request; `key` must be kept and never leaves this machine."""

    key: Path
    request: Path


def files_of(folder: Path, name: str) -> Request:
    """Where a request of this name lies, whether it was made or not."""
    plain = unicodedata.normalize("NFKD", name.lower().translate(_LETTERS))
    letters = "".join(c for c in plain if not unicodedata.combining(c))
    stem = re.sub(r"[^a-z0-9]+", "-", letters).strip("-") or "card"
    return Request(folder / f"{stem}.key.pem", folder / f"{stem}.certSigningRequest")


def make(folder: Path, name: str, email: str) -> Request:
    """A new key (mode 0600) and its request. Raises `Conflict` when either is there: a key is never overwritten."""
    if not EMAIL.fullmatch(email):
        raise Invalid("Give the e-mail address of your Apple developer account.", field="email")
    if blank(name) or len(name) > 64:
        raise Invalid("Give a name of 1 to 64 characters.", field="name")
    files = files_of(folder, name)
    for path in (files.key, files.request):
        if path.exists():
            raise Conflict(f"{path} is there already, and keys are never overwritten: give another --name.")
    key, request = make_request(name, email)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for path, body in ((files.key, key), (files.request, request)):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(body)
    return files


def read(path: Path, what: str) -> bytes:
    """The bytes of a file of at most 256 KiB. Raises `Invalid` with a sentence."""
    try:
        with path.expanduser().open("rb") as handle:
            body = handle.read(MOST_BYTES + 1)
    except OSError as fault:
        raise Invalid(f"The {what} cannot be read from {path}: {fault.strerror}.") from fault
    if not body or len(body) > MOST_BYTES:
        raise Invalid(f"{path} is {'empty' if not body else 'too large'}: it is no {what}.")
    return body


def look_at(
    ctx: Context, upload: Upload, pass_type: str | None = None, team: str | None = None, *, apart: bool = False
) -> tuple[Papers | None, list[Finding]]:
    """The papers, if they can be installed, and everything worth saying of them, worst first. An intermediate that was
    not brought is taken from the .p12, or from a set of the vault that was issued by the same.
    `apart` looks in a process of its own that may be stopped: for whatever comes over the network."""
    known = list(dict.fromkeys(row.chain.encode() for row in vault.all_sets(ctx)))[:MOST_KNOWN]
    sandbox, further = ctx.settings.sandbox, ctx.settings.apple_intermediates
    if apart:
        return unlocking.examine_apart(upload, ctx.now(), known=known, sandbox=sandbox, intermediates=further)
    return examine(
        upload,
        ctx.now(),
        known=known,
        pass_type=pass_type,
        team=team,
        sandbox=sandbox,
        intermediates=further,
    )


def install(ctx: Context, papers: Papers, programme: str | None = None) -> Installed:
    """Put the set into the vault, in the place of the one of its pass type if there is one, and let it sign the new
    cards of a programme.

    A new set belongs to the account of that programme, and without one to the platform. Raises `Misconfigured` for
    papers with an error, `NotFound` for the programme, `Conflict` (`foreign-credentials`) when the pass type is
    another account's.
    """
    claim = vault.Claim()
    if programme is not None:
        with ctx.look() as tx:
            row = operating.programme(tx, programme)
        claim = vault.Claim(row.account_id, row.id)
    return vault.install(ctx, load(ctx, papers), claim)


def load(ctx: Context, papers: Papers) -> Credentials:
    """The papers as what signs. Raises `Misconfigured` with every error."""
    return Credentials.load(
        papers.certificate,
        papers.key,
        papers.wwdr,
        ctx.now(),
        sandbox=ctx.settings.sandbox,
        intermediates=ctx.settings.apple_intermediates,
        key_checked=True,
    )
