"""A small certificate authority with Apple's names, made anew for each run; a sample card; a sample identity."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from wallet_server.rules.passes.card import Balance, Card, Detail, Gauge, News, Palette, Place, Tier
from wallet_server.wallets.port import Identity

NOW = datetime(2026, 11, 22, 9, 30, 15, tzinfo=UTC)
PASS_TYPE, TEAM = "pass.com.example.loyalty", "ABCDE12345"
TEMPLATES = Path(__file__).parents[2] / "passes" / "templates"
WWDR_NAME = "Apple Worldwide Developer Relations Certification Authority"

TAKEN: set[str] = set()
"""Fingerprints of every intermediate that was made here, as settings name those to take that are not Apple's G4."""


def subject(common_name: str, unit: str, *, organisation: str = "Apple Inc.", uid: str | None = None) -> x509.Name:
    names = [
        x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
    ]
    if uid is not None:
        names.insert(0, x509.NameAttribute(NameOID.USER_ID, uid))
    return x509.Name([one for one in names if one.value])


@dataclass(frozen=True)
class Issuer:
    """Signs certificates in one name with one key."""

    name: x509.Name
    key: rsa.RSAPrivateKey

    def certify(
        self, name: x509.Name, key: object, *, starts: datetime, ends: datetime, authority: bool = False
    ) -> x509.Certificate:
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.name)
            .public_key(key.public_key())  # type: ignore[attr-defined]
            .serial_number(x509.random_serial_number())
            .not_valid_before(starts)
            .not_valid_after(ends)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .sign(self.key, hashes.SHA256())
        )


def pem(thing: x509.Certificate | object) -> bytes:
    if isinstance(thing, x509.Certificate):
        return thing.public_bytes(Encoding.PEM)
    return thing.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Authority:
    """Root, intermediate and leaf with Apple's names; `wwdr` and `leaf` make variants on the same keys."""

    root_key: rsa.RSAPrivateKey
    wwdr_key: rsa.RSAPrivateKey
    leaf_key: rsa.RSAPrivateKey
    root: x509.Certificate

    def wwdr(
        self,
        name: x509.Name | None = None,
        days: int = 2000,
        root_name: x509.Name | None = None,
        key: rsa.RSAPrivateKey | None = None,
    ) -> bytes:
        issuer = Issuer(root_name or self.root.subject, self.root_key)
        name = name or subject(WWDR_NAME, "G4")
        starts = NOW - timedelta(days=900)
        ends = NOW + timedelta(days=days)
        made = issuer.certify(name, key or self.wwdr_key, starts=starts, ends=ends, authority=True)
        TAKEN.add(made.fingerprint(hashes.SHA256()).hex())
        return pem(made)

    def leaf(
        self,
        name: x509.Name | None = None,
        *,
        starts: datetime = NOW - timedelta(days=30),
        ends: datetime = NOW + timedelta(days=335, hours=1),
        key: object = None,
        issuer: x509.Name | None = None,
        signed_by: rsa.RSAPrivateKey | None = None,
    ) -> bytes:
        name = name or subject(f"Pass Type ID: {PASS_TYPE}", TEAM, organisation="Example Coffee", uid=PASS_TYPE)
        signing = Issuer(issuer or subject(WWDR_NAME, "G4"), signed_by or self.wwdr_key)
        return pem(signing.certify(name, key or self.leaf_key, starts=starts, ends=ends))

    @property
    def key(self) -> bytes:
        return pem(self.leaf_key)


def like_apple() -> Authority:
    """A root of its own with Apple's names, as anybody can make one."""
    above, middle, own = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(3))
    name = subject("Apple Root CA", "Apple Certification Authority")
    starts, ends = NOW - timedelta(days=5000), NOW + timedelta(days=5000)
    root = Issuer(name, above).certify(name, above, starts=starts, ends=ends, authority=True)
    return Authority(above, middle, own, root)


def sample_card() -> Card:
    return Card(
        languages=("fr", "en"),
        organisation="Café « Chez Léa »",
        description={"fr": "Carte de fidélité", "en": "Loyalty card"},
        design="points",
        design_version=1,
        palette=Palette("#1f3a5f", "#ffffff", "#f2b84b"),
        balance=Balance("points", {"fr": "Points", "en": "Points"}, 1234),
        tier=Tier("silver", {"fr": "Statut", "en": "Status"}, {"fr": "Argent", "en": "Silver"}),
        gauge=Gauge(
            62,
            1234,
            2000,
            {"fr": "Prochain statut", "en": "Next status"},
            {"fr": "Plus que 766 points avant Or", "en": "766 points to Gold"},
        ),
        news=News(
            {"fr": "Dernière nouvelle", "en": "Latest news"},
            {"fr": "Ce soir, les « éclairs » sont à moitié prix 🎉", "en": 'Tonight, "éclairs" are half price 🎉'},
        ),
        details=(
            Detail(
                "terms",
                {"fr": "Conditions", "en": "Terms"},
                {"fr": "1 € = 1 point.\nValables un an.", "en": "1 € = 1 point.\nValid for a year."},
            ),
            Detail(
                "stop",
                {"fr": "Messages", "en": "Messages"},
                {"fr": "Ne plus recevoir de messages", "en": "Stop messages <here>"},
                "https://cards.example.com/stop?m=1&k=abc",
            ),
        ),
        places=(
            Place(48.8566, 2.3522, {"fr": "Chez Léa est à deux pas", "en": "Chez Léa is round the corner"}),
            Place(45.764, 4.8357, {"fr": "Chez Léa Lyon", "en": "Chez Léa Lyon"}),
        ),
        max_distance_metres=100,
        code_issue=1,
    )


def sample_identity() -> Identity:
    return Identity(1, PASS_TYPE, "3f9c1a", "t" * 43, "LP1.acme.k1.1.7Q2M9X", "https://cards.example.com/apple/")
