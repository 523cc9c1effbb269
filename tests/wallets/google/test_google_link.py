"""The address that adds cards: what it says, who signed it, and that it always fits."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from tests.wallets.google.making import ISSUER
from tests.wallets.samples import NOW, pem
from wallet_server.errors import Invalid, Misconfigured
from wallet_server.wallets.google.link import MAX_CHARACTERS, save_link

EMAIL = "wallet-loyalty-cards@a-project-name-of-thirty-chars.iam.gserviceaccount.com"


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def identifier(number: int) -> str:
    return f"{ISSUER}.pass_{number:026d}"


def test_a_card_and_its_welcome_offer_fit_into_one_short_address(key: rsa.RSAPrivateKey) -> None:
    link = save_link(EMAIL, pem(key), [("loyalty", identifier(1)), ("offer", identifier(2))], NOW)
    assert len(link) < MAX_CHARACTERS
    head, claims, signature = link.removeprefix("https://pay.google.com/gp/v/save/").split(".")
    said = json.loads(base64.urlsafe_b64decode(claims + "=="))
    assert said == {
        "iss": EMAIL,
        "aud": "google",
        "typ": "savetowallet",
        "iat": int(NOW.timestamp()),
        "origins": [],
        "payload": {"loyaltyObjects": [{"id": identifier(1)}], "offerObjects": [{"id": identifier(2)}]},
    }
    assert json.loads(base64.urlsafe_b64decode(head + "==")) == {"alg": "RS256", "typ": "JWT"}
    raw = base64.urlsafe_b64decode(signature + "==")
    key.public_key().verify(raw, f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())
    assert link == save_link(EMAIL, pem(key), [("loyalty", identifier(1)), ("offer", identifier(2))], NOW)


def test_an_address_above_the_limit_is_refused_and_one_at_it_is_not(key: rsa.RSAPrivateKey) -> None:
    fits = 0
    for number in range(1, 40):
        objects = [("offer", identifier(one)) for one in range(number)]
        try:
            assert len(save_link(EMAIL, pem(key), objects, NOW)) <= MAX_CHARACTERS
            fits = number
        except Invalid as refused:
            assert "do not fit" in refused.sentence
            break
    assert 8 <= fits < 39


def test_a_key_that_is_none_is_named() -> None:
    elliptic = pem(ec.generate_private_key(ec.SECP256R1()))
    for wrong in (b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", elliptic):
        with pytest.raises(Misconfigured, match="cannot be read"):
            save_link(EMAIL, wrong, [("loyalty", identifier(1))], NOW)
