"""How fast passes are made: building, checking and signing one pass, beside the limits of the machine.

    python -m benchmarks.signing --rounds 10 --seconds 0.2

Every figure is passes (or signatures) in a second of processor time, taken in turns within one run, because a shared
machine drifts; the ratio to the bare RSA operation of the same turn is what counts. The product builds, checks, packs
and signs a whole pass whose balance, gauge, boxes and sentences are different each time, in two languages, with its
pictures drawn before, as on a server that runs; "cold" draws the strip in its three sizes first. Then the same on two
cores: two processes, and two threads of one, each beside two processes that only sign.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count, cycle
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs7
from cryptography.x509.oid import NameOID

from benchmarks.signing_cards import lean, points_cards, sample_card, stamp_cards
from wallet_server.rules.passes.card import Alert, Card
from wallet_server.wallets.apple.credentials import Credentials
from wallet_server.wallets.apple.passfile import Press
from wallet_server.wallets.designs import load_designs
from wallet_server.wallets.drawing import Drawings
from wallet_server.wallets.port import Identity

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PASS_TYPE, TEAM = "pass.com.example.benchmark", "BENCHMARK1"
ROOT = Path(__file__).parents[1]
FOREIGN = ROOT / "out" / "foreign"
BARE = "bare key.sign"
CORES = 2
COLD = 12
"""Strips drawn for each cold figure."""

Way = Callable[[], object]


@dataclass(frozen=True)
class Row:
    """One contestant: its rates, and its share of the bare operation in each turn."""

    name: str
    rates: list[float]
    shares: list[float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=0.2, help="how long each is measured in each round")
    options = parser.parse_args()
    key, credentials = make_credentials()
    ways: dict[str, Way] = {
        "points card, 10 places, 3 details": product(credentials, "points", points_cards(sample_card())),
        "points card, no place, 1 detail": product(credentials, "points", points_cards(lean(sample_card()))),
        "stamp card of 10, warm pictures": product(credentials, "stamps", stamp_cards(sample_card())),
        "cryptography PKCS7 builder (signature alone)": builder(key, credentials),
    }
    with papers(credentials) as folder:
        peers = {
            "wallet-py3k (its own smaller pass)": wallet_py3k(folder),
            "passkit-generator (its own smaller pass)": passkit_generator(folder, options.seconds),
        }
        ways |= {name: way for name, way in peers.items() if way is not None}
        show("one core, RSA-2048", in_turns(bare(key), ways, options.rounds, options.seconds))
    cold(credentials)
    show(f"{CORES} cores", two_cores(key, credentials, options.rounds, options.seconds))
    for name, way in peers.items():
        if way is None:
            print(f"NOT COMPARED: {name}: not installed (pip install wallet-py3k; scripts/foreign_readers.sh, node).")
    if shutil.which("openssl") is None:
        print("NOT COMPARED: openssl speed: the openssl program is not here.")


def in_turns(limit: Way, ways: dict[str, Way], rounds: int, seconds: float) -> list[Row]:
    """Each way right behind a turn of the bare operation, so that both meet the same machine."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    shares: dict[str, list[float]] = {name: [] for name in ways}
    bares: list[float] = []
    openssl: list[float] = []
    for number in range(rounds):
        if number % 4 == 1:
            openssl += openssl_speed(1)
        for name, way in ways.items():
            before, own, after = rate(limit, seconds / 2), rate(way, seconds), rate(limit, seconds / 2)
            bares += [before, after]
            rates[name].append(own)
            shares[name].append(own / ((before + after) / 2))
    middle = statistics.median(bares)
    rows = [Row(BARE, bares, [one / middle for one in bares])]
    if openssl:
        rows.append(Row("openssl speed rsa2048", openssl, [one / middle for one in openssl]))
    return rows + [Row(name, rates[name], shares[name]) for name in ways]


def show(title: str, rows: list[Row]) -> None:
    print(f"{title:<48}{'per second':>12}{'of key.sign':>13}{'least':>8}{'most':>8}")
    for row in rows:
        shares = statistics.median(row.shares), min(row.shares), max(row.shares)
        print(
            f"{row.name:<48}{statistics.median(row.rates):>12,.0f}{shares[0]:>13.1%}{shares[1]:>8.0%}{shares[2]:>8.0%}"
        )
    print()


def rate(once: Way, seconds: float) -> float:
    """Calls in a second of processor time, of this process and its children: `openssl speed` counts so too, and what
    others do on the machine disturbs it less than the clock. A way that times itself says its own rate."""
    found = once()
    if isinstance(found, float):
        return found
    done, start = 0, spent_seconds()
    while (spent := spent_seconds() - start) < seconds:
        for _ in range(10):
            once()
        done += 10
    return done / spent


def spent_seconds() -> float:
    children = os.times()
    return time.process_time() + children.children_user + children.children_system


def openssl_speed(seconds: int, processes: int = 1) -> list[float]:
    if shutil.which("openssl") is None:
        return []
    many = ["-multi", str(processes)] if processes > 1 else []
    command = ["openssl", "speed", "-mr", "-seconds", str(seconds), *many, "rsa2048"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    # +F2:<index>:<bits>:<seconds of a signature, or signatures in a second>:<the same of a check>
    found = [float(line.split(":")[3]) for line in lines if line.startswith("+F2:")]
    return [1 / one if one < 1 else one for one in found]


def cold(credentials: Credentials) -> None:
    """What the first card of a state costs: its strip is drawn in three sizes, then the pass is made."""
    for design, cards in (("points", points_cards(sample_card())), ("stamps", stamp_cards(sample_card()))):
        taken = []
        for number in range(COLD):
            once = product(credentials, design, cards[number % len(cards) :][:1], warm=False)
            begun = time.process_time()
            once()
            taken.append((time.process_time() - begun) * 1000)
        print(f"{design} card, cold: {statistics.median(taken):.1f} ms ({min(taken):.1f} to {max(taken):.1f})")
    print()


# --- two cores -------------------------------------------------------------------------------------------------


def two_cores(key: rsa.RSAPrivateKey, credentials: Credentials, rounds: int, seconds: float) -> list[Row]:
    """Two processes by their processor time and by the clock, each beside two processes that only sign; then two
    threads of one process, by the clock alone: one that waits for the other spends nothing."""
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    names = (BARE, "points card", "stamp card")
    threaded = dict(zip(names, (bare(key), *_products(credentials)), strict=True))
    found: dict[str, list[float]] = {}
    shares: dict[str, list[float]] = {}

    def note(row: str, rate: float, limit: float) -> None:
        found.setdefault(row, []).append(rate)
        shares.setdefault(row, []).append(rate / limit)

    papers = (pem, credentials.certificate_pem, credentials.wwdr_pem)
    with multiprocessing.get_context("spawn").Pool(CORES, _prepare, papers) as pool:
        for number in range(rounds):
            rates = {}
            for name in names:
                both = pool.map(_work, [(name, seconds)] * CORES, chunksize=1)
                rates[name] = [sum(one) for one in zip(*both, strict=True)]
            for kind, place in (("processor time", 0), ("clock", 1)):
                for name in names:
                    note(f"{name}, two processes, {kind}", rates[name][place], rates[BARE][place])
            for name in names:
                note(f"{name}, two threads, clock", _threads(threaded[name], seconds), rates[BARE][1])
            if number % 4 == 1:
                for speed in openssl_speed(1, CORES):
                    note(f"openssl speed -multi {CORES} rsa2048, clock", speed, rates[BARE][1])
    return [Row(name, measured, shares[name]) for name, measured in found.items()]


_ways: dict[str, Way] = {}


def _products(credentials: Credentials) -> tuple[Way, Way]:
    card = sample_card()
    return product(credentials, "points", points_cards(card)), product(credentials, "stamps", stamp_cards(card))


def _prepare(key_pem: bytes, certificate_pem: bytes, wwdr_pem: bytes) -> None:
    """In each process: the same three ways."""
    key = serialization.load_pem_private_key(key_pem, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    points, stamps = _products(Credentials.load(certificate_pem, key_pem, wwdr_pem, AT, stored=True))
    _ways.update({BARE: bare(key), "points card": points, "stamp card": stamps})


def _work(task: tuple[str, float]) -> tuple[float, float]:
    """Calls in a second of this process's own time, and by the clock."""
    name, seconds = task
    cpu, begun = time.process_time(), time.perf_counter()
    rate = _by_clock(_ways[name], seconds)
    return rate * (time.perf_counter() - begun) / (time.process_time() - cpu), rate


def _by_clock(once: Way, seconds: float) -> float:
    done, begun = 0, time.perf_counter()
    while (passed := time.perf_counter() - begun) < seconds:
        for _ in range(5):
            once()
        done += 5
    return done / passed


def _threads(once: Way, seconds: float) -> float:
    rates: list[float] = []
    threads = [threading.Thread(target=lambda: rates.append(_by_clock(once, seconds))) for _ in range(CORES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(rates)


# --- who takes part --------------------------------------------------------------------------------------------


def bare(key: rsa.RSAPrivateKey) -> Way:
    how, digest, content = padding.PKCS1v15(), hashes.SHA256(), b"x" * 107
    return lambda: key.sign(content, how, digest)


def product(credentials: Credentials, named: str, cards: list[Card], *, warm: bool = True) -> Way:
    """Passes of these cards in turn, made beforehand: cards come out of the books, only passes are made here."""
    design = load_designs(ROOT / "passes" / "templates").newest(named)
    press = Press(Drawings())
    identity = Identity(1, PASS_TYPE, "0123456789abcdef", "t" * 43, "LP1.acme.k1.1.7Q2M9X", "https://c.example.com/a")
    alert = Alert("points", design.change_messages["points"])
    if warm:
        for card in cards:
            press.make(card, alert, identity, design, credentials, AT)
    turn = cycle(cards)

    def once() -> bytes:
        return press.make(next(turn), alert, identity, design, credentials, AT)

    return once


def builder(key: rsa.RSAPrivateKey, credentials: Credentials) -> Way:
    leaf = x509.load_pem_x509_certificate(credentials.certificate_pem)
    wwdr = x509.load_pem_x509_certificate(credentials.wwdr_pem)
    files = {f"file{number}.png": f"{number:040x}" for number in range(12)}
    manifest = json.dumps(files).encode()
    options = [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary, pkcs7.PKCS7Options.NoCapabilities]

    def once() -> bytes:
        signing = pkcs7.PKCS7SignatureBuilder().set_data(manifest).add_signer(leaf, key, hashes.SHA256())
        return signing.add_certificate(wwdr).sign(Encoding.DER, options)

    return once


@contextmanager
def papers(credentials: Credentials) -> Iterator[Path]:
    """A folder with what other programs want as files; the key's password is `secret`."""
    encrypted = serialization.load_pem_private_key(credentials.key_pem, None).private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, serialization.BestAvailableEncryption(b"secret")
    )
    facts = {
        "formatVersion": 1,
        "passTypeIdentifier": PASS_TYPE,
        "teamIdentifier": TEAM,
        "organizationName": "Benchmark",
        "description": "Loyalty card",
    }
    contents = {
        "leaf.pem": credentials.certificate_pem,
        "key.pem": credentials.key_pem,
        "locked.pem": encrypted,
        "wwdr.pem": credentials.wwdr_pem,
        "icon.png": (ROOT / "passes/templates/points/apple/icon.png").read_bytes(),
        "pass.json": json.dumps(facts).encode(),
    }
    with tempfile.TemporaryDirectory(prefix="signing-benchmark-") as name:
        for file, content in contents.items():
            (Path(name) / file).write_bytes(content)
        yield Path(name)


def passkit_generator(folder: Path, seconds: float) -> Way | None:
    """Made in a process of node's own, which counts its own processor time; None where it is not installed."""
    node = shutil.which("node")
    if node is None or not (FOREIGN / "node_modules" / "passkit-generator").is_dir():
        return None
    command = [node, str(ROOT / "benchmarks" / "peers" / "passkit_generator.mjs"), str(FOREIGN), str(folder)]

    def once() -> float:
        done = subprocess.run([*command, str(seconds)], capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise RuntimeError(f"passkit-generator: {done.stderr[-500:]}")
        return float(done.stdout)

    return once


def wallet_py3k(folder: Path) -> Way | None:
    try:
        models: Any = importlib.import_module("wallet.models")
    except ImportError:
        return None
    icon = (folder / "icon.png").read_bytes()
    numbers = count()

    def once() -> object:
        style = models.StoreCard()
        style.addPrimaryField("points", next(numbers), "Points")
        made = models.Pass(style, passTypeIdentifier=PASS_TYPE, organizationName="Benchmark", teamIdentifier=TEAM)
        made.serialNumber = "0123456789abcdef"
        made.barcode = models.Barcode(message="LP1.acme.k1.1.7Q2M9X", format=models.BarcodeFormat.QR)
        made.files["icon.png"] = icon
        return made.create(*(str(folder / name) for name in ("leaf.pem", "locked.pem", "wwdr.pem")), "secret", None)

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
    return keys[1], Credentials.load(leaf_pem, key_pem, wwdr_pem, AT, stored=True)


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


if __name__ == "__main__":
    main()
