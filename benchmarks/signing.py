"""How fast passes are made: building, checking and signing one pass, beside the limits of the machine.

    python benchmarks/signing.py [--seconds 0.5]

Every figure is passes (or signatures) in a second on one core, taken in turns within one run, because a shared
machine drifts; the ratio to the bare RSA operation of the same run is what counts. The product builds, checks, packs
and signs a whole pass whose balance, gauge and sentences are different each time, in two languages; its pictures have
been drawn before, as on a server that runs.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count, cycle
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs7
from cryptography.x509.oid import NameOID

from wallet_server.rules.card import Alert, Balance, Card, Detail, Gauge, News, Palette, Place, Tier
from wallet_server.wallets.apple.credentials import Credentials
from wallet_server.wallets.apple.passfile import Press
from wallet_server.wallets.designs import load_designs
from wallet_server.wallets.drawing import Drawings
from wallet_server.wallets.port import Identity

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PASS_TYPE, TEAM = "pass.com.example.benchmark", "BENCHMARK1"
ROUNDS = 10


@dataclass(frozen=True)
class Row:
    name: str
    rates: list[float]
    note: str = ""

    @property
    def rate(self) -> float:
        return statistics.median(self.rates)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=0.5, help="how long each is measured, ten times")
    seconds = parser.parse_args().seconds
    key, credentials = make_credentials()
    contestants: dict[str, Callable[[], object]] = {
        "bare key.sign": bare(key),
        "product: a full card, 10 places, 3 details": product(credentials, sample_card()),
        "product: a lean card, no place, 1 detail": product(credentials, lean(sample_card())),
        "cryptography PKCS7 builder (signature alone)": builder(key, credentials),
    }
    peer = wallet_py3k(credentials)
    if peer:
        contestants["wallet-py3k (its own smaller pass)"] = peer
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    openssl: list[float] = []
    for number in range(ROUNDS):
        if number % 4 == 1:
            openssl += openssl_speed(2)
        for name, once in contestants.items():
            rates[name].append(rate(once, seconds))
    rows = [Row("openssl speed rsa2048", openssl)] if openssl else []
    rows += [Row(name, measured) for name, measured in rates.items()]
    show(rows, statistics.median(rates["bare key.sign"]))
    if not openssl:
        print("The openssl program is not here, so its own figure is missing.")
    if peer is None:
        print("wallet-py3k is not installed here (pip install wallet-py3k), so it is not compared.")


def show(rows: list[Row], limit: float) -> None:
    print(f"{'one core, RSA-2048':<46}{'per second':>12}{'of key.sign':>13}")
    for row in rows:
        print(f"{row.name:<46}{row.rate:>12,.0f}{row.rate / limit:>12.1%}")


def rate(once: Callable[[], object], seconds: float) -> float:
    """Calls in a second of processor time, of this process and its children: `openssl speed` counts so too, and what
    others do on the machine disturbs it less than the clock."""
    once()
    done, start = 0, spent_seconds()
    while (spent := spent_seconds() - start) < seconds:
        for _ in range(10):
            once()
        done += 10
    return done / spent


def spent_seconds() -> float:
    children = os.times()
    return time.process_time() + children.children_user + children.children_system


def openssl_speed(seconds: int) -> list[float]:
    if shutil.which("openssl") is None:
        return []
    command = ["openssl", "speed", "-mr", "-seconds", str(seconds), "rsa2048"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    # +F2:<index>:<bits>:<signatures in a second>:<checks in a second>
    return [float(line.split(":")[3]) for line in lines if line.startswith("+F2:")]


# --- who takes part --------------------------------------------------------------------------------------------


def bare(key: rsa.RSAPrivateKey) -> Callable[[], object]:
    how, digest, content = padding.PKCS1v15(), hashes.SHA256(), b"x" * 107
    return lambda: key.sign(content, how, digest)


def product(credentials: Credentials, card: Card) -> Callable[[], object]:
    designs = load_designs(Path(__file__).parents[1] / "passes" / "templates")
    press = Press(Drawings())
    # Made beforehand: cards come out of the books, only passes are made here.
    cards = cycle([with_balance(card, value) for value in range(0, 10_000, 20)])
    design = designs.newest("points")
    identity = Identity(1, PASS_TYPE, "0123456789abcdef", "t" * 43, "LP1.acme.k1.1.7Q2M9X", "https://c.example.com/a")
    alert = Alert("points", design.change_messages["points"])

    for value in range(0, 10_000, 100):
        press.make(with_balance(card, value), alert, identity, design, credentials, AT)

    def once() -> bytes:
        return press.make(next(cards), alert, identity, design, credentials, AT)

    return once


def builder(key: rsa.RSAPrivateKey, credentials: Credentials) -> Callable[[], object]:
    leaf = x509.load_pem_x509_certificate(credentials.certificate_pem)
    wwdr = x509.load_pem_x509_certificate(credentials.wwdr_pem)
    files = {f"file{number}.png": f"{number:040x}" for number in range(12)}
    manifest = json.dumps(files).encode()
    options = [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary, pkcs7.PKCS7Options.NoCapabilities]

    def once() -> bytes:
        signing = pkcs7.PKCS7SignatureBuilder().set_data(manifest).add_signer(leaf, key, hashes.SHA256())
        return signing.add_certificate(wwdr).sign(Encoding.DER, options)

    return once


def wallet_py3k(credentials: Credentials) -> Callable[[], object] | None:
    try:
        models: Any = importlib.import_module("wallet.models")
    except ImportError:
        return None
    folder = Path(tempfile.mkdtemp(prefix="signing-benchmark-"))
    encrypted = serialization.load_pem_private_key(credentials.key_pem, None).private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, serialization.BestAvailableEncryption(b"secret")
    )
    contents = {"leaf.pem": credentials.certificate_pem, "key.pem": encrypted, "wwdr.pem": credentials.wwdr_pem}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    icon = (Path(__file__).parents[1] / "passes/templates/points/apple/icon.png").read_bytes()
    numbers = count()

    def once() -> object:
        style = models.StoreCard()
        style.addPrimaryField("points", next(numbers), "Points")
        made = models.Pass(style, passTypeIdentifier=PASS_TYPE, organizationName="Benchmark", teamIdentifier=TEAM)
        made.serialNumber = "0123456789abcdef"
        made.barcode = models.Barcode(message="LP1.acme.k1.1.7Q2M9X", format=models.BarcodeFormat.QR)
        made.files["icon.png"] = icon
        return made.create(*(str(folder / name) for name in ("leaf.pem", "key.pem", "wwdr.pem")), "secret", None)

    return once


# --- what they work on -----------------------------------------------------------------------------------------


def make_credentials() -> tuple[rsa.RSAPrivateKey, Credentials]:
    """A key and certificates with Apple's names, made for this run."""
    keys = [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2)]
    root = name(common="Benchmark Root", unit="Root", organisation="Apple Inc.")
    wwdr = name(common="Benchmark WWDR", unit="G4", organisation="Apple Inc.")
    leaf = name(common=f"Pass Type ID: {PASS_TYPE}", unit=TEAM, organisation="Benchmark", uid=PASS_TYPE)
    certificates = [certify(keys[1], leaf, wwdr, keys[0]), certify(keys[0], wwdr, root, keys[0])]
    leaf_pem, wwdr_pem = (certificate.public_bytes(Encoding.PEM) for certificate in certificates)
    key_pem = keys[1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return keys[1], Credentials.load(leaf_pem, key_pem, wwdr_pem, AT)


def name(*, common: str, unit: str, organisation: str, uid: str | None = None) -> x509.Name:
    parts = [(NameOID.COMMON_NAME, common), (NameOID.ORGANIZATIONAL_UNIT_NAME, unit)]
    parts += [(NameOID.ORGANIZATION_NAME, organisation)] + ([(NameOID.USER_ID, uid)] if uid else [])
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])


def certify(
    key: rsa.RSAPrivateKey, subject: x509.Name, issuer: x509.Name, signed_by: rsa.RSAPrivateKey
) -> x509.Certificate:
    making = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    making = making.serial_number(x509.random_serial_number())
    making = making.not_valid_before(AT - timedelta(days=1)).not_valid_after(AT + timedelta(days=365))
    return making.sign(signed_by, hashes.SHA256())


def with_balance(card: Card, value: int) -> Card:
    """What a sale changes: the balance, the gauge and the sentence that goes with it."""
    assert card.gauge is not None
    left = {"fr": f"Plus que {10_000 - value} points avant Or", "en": f"{10_000 - value} points to Gold"}
    gauge = replace(card.gauge, percent=value // 100, value=value, goal=10_000, sentence=left)
    return replace(card, balance=replace(card.balance, value=value), gauge=gauge)


def lean(card: Card) -> Card:
    return replace(card, places=(), max_distance_metres=None, details=card.details[-1:])


def sample_card() -> Card:
    """A card as full as real ones: two languages, gauge, news, three details, ten places."""

    def both(french: str, english: str) -> dict[str, str]:
        return {"fr": french, "en": english}

    return Card(
        languages=("fr", "en"),
        organisation="Example Coffee",
        description=both("Carte de fidélité", "Loyalty card"),
        design="points",
        design_version=1,
        palette=Palette("#1f3a5f", "#ffffff", "#f2b84b"),
        balance=Balance("points", both("Points", "Points"), 0),
        tier=Tier("silver", both("Statut", "Status"), both("Argent", "Silver")),
        gauge=Gauge(62, 1240, 2000, both("Prochain statut", "Next status"), both("Plus que 760", "760 to go")),
        news=News(both("Dernière nouvelle", "Latest news"), both("Ce soir, -50 %", "Tonight, half price")),
        details=(
            Detail("terms", both("Conditions", "Terms"), both("1 € = 1 point.", "1 € = 1 point.")),
            Detail("help", both("Aide", "Help"), both("Demandez au comptoir.", "Ask at the counter.")),
            Detail("stop", both("Messages", "Messages"), both("Arrêter", "Stop"), "https://c.example.com/stop?m=1"),
        ),
        places=tuple(
            Place(48.85 + number / 100, 2.35, both(f"La boutique {number} est tout près", f"Shop {number} is near"))
            for number in range(10)
        ),
        max_distance_metres=100,
        code_issue=1,
    )


if __name__ == "__main__":
    main()
