"""Callbacks: the three that Google really signed, and everything that it did not."""

from __future__ import annotations

import base64
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.wallets.google.making import ISSUER
from wallet_server.errors import Unauthenticated, Unavailable
from wallet_server.wallets.google import roots as keys
from wallet_server.wallets.google.callbacks import MAX_BYTES, PROTOCOL, Event, Root, verify

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
VECTORS = os.environ.get("WALLET_TEST_VECTORS", "")


def der(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def framed(*texts: str) -> bytes:
    return b"".join(len(text.encode()).to_bytes(4, "little") + text.encode() for text in texts)


def signed(key: ec.EllipticCurvePrivateKey, *texts: str) -> str:
    return base64.b64encode(key.sign(framed(*texts), ec.ECDSA(hashes.SHA256()))).decode()


def millis(at: datetime) -> int:
    return int(at.timestamp() * 1000)


class Google:
    """A root and an intermediate key of our own; every part of what it signs can be made wrong."""

    def __init__(self) -> None:
        self.root, self.intermediate = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))

    @property
    def roots(self) -> tuple[Root, ...]:
        return (Root(der(self.root), NOW + timedelta(days=30)),)

    def callback(
        self,
        *,
        to: str = ISSUER,
        sender: str = "GooglePayPasses",
        key_ends: datetime = NOW + timedelta(days=7),
        root: ec.EllipticCurvePrivateKey | None = None,
        **said: Any,
    ) -> dict[str, Any]:
        message = {
            "classId": f"{ISSUER}.p_7k3qzd",
            "objectId": f"{ISSUER}.3f9c1a",
            "eventType": "save",
            "expTimeMillis": millis(NOW + timedelta(minutes=10)),
            "count": 1,
            "nonce": "c1359b53-f2bb-4e8f-b392-9a560a21a9a0",
        } | said
        value = base64.b64encode(der(self.intermediate)).decode()
        # As Google writes it: with escapes that a second writing of the JSON would lose.
        signed_key = json.dumps({"keyValue": value, "keyExpiration": str(millis(key_ends))}).replace("=", "\\u003d")
        signed_message = json.dumps(message, ensure_ascii=False)
        return {
            "signature": signed(self.intermediate, sender, to, PROTOCOL, signed_message),
            "intermediateSigningKey": {
                "signedKey": signed_key,
                "signatures": [signed(root or self.root, sender, PROTOCOL, signed_key)],
            },
            "protocolVersion": PROTOCOL,
            "signedMessage": signed_message,
        }


@pytest.fixture(scope="module")
def google() -> Google:
    return Google()


def raw(callback: Any) -> bytes:
    return json.dumps(callback, ensure_ascii=False).encode()


# --- what Google signed ----------------------------------------------------------------------------------------


@pytest.mark.skipif(not VECTORS, reason="WALLET_TEST_VECTORS names no folder with real callbacks")
def test_three_callbacks_that_google_really_signed() -> None:
    found = json.loads((Path(VECTORS) / "google_callbacks_real.json").read_text())
    real = tuple(Root(base64.b64decode(one["keyValue"])) for one in found["rootKeys"]["keys"])
    kinds = []
    for vector in found["vectors"]:
        body = raw(vector["body"])
        expires = json.loads(vector["body"]["signedMessage"])["expTimeMillis"]
        frozen = datetime.fromtimestamp(expires / 1000, UTC) - timedelta(minutes=5)
        kinds.append(verify(body, vector["issuerId"], real, frozen).kind)
        for issuer, at in ((ISSUER + "1", frozen), (vector["issuerId"], frozen + timedelta(hours=1))):
            with pytest.raises(Unauthenticated):
                verify(body, issuer, real, at)
        with pytest.raises(Unauthenticated):
            verify(body.replace(b"del" if kinds[-1] == "del" else b"save", b"gone"), vector["issuerId"], real, frozen)
    assert kinds == ["save", "save", "del"]


def test_what_is_signed_for_this_issuer_is_an_event(google: Google) -> None:
    assert verify(raw(google.callback()), ISSUER, google.roots, NOW) == Event(
        "save",
        f"{ISSUER}.p_7k3qzd",
        f"{ISSUER}.3f9c1a",
        "c1359b53-f2bb-4e8f-b392-9a560a21a9a0",
        NOW + timedelta(minutes=10),
    )
    assert verify(raw(google.callback(eventType="del")), ISSUER, google.roots, NOW).kind == "del"


def test_lengths_are_counted_in_bytes(google: Google) -> None:
    body = raw(google.callback(nonce="é" * 20, classId=f"{ISSUER}.été"))
    assert verify(body, ISSUER, google.roots, NOW).nonce == "é" * 20


# --- what nobody signed ----------------------------------------------------------------------------------------


def tampered(callback: dict[str, Any], where: str, change: Any) -> dict[str, Any]:
    made = json.loads(json.dumps(callback))
    inner = made["intermediateSigningKey"] if where in ("signedKey", "signatures") else made
    inner[where] = change(inner[where]) if callable(change) else change
    return made


@pytest.mark.parametrize(
    ("about", "sentence"),
    [
        ({"to": "1234"}, "not signed for this issuer"),
        ({"sender": "GooglePay"}, "No root key"),
        ({"key_ends": NOW}, "key of this callback has expired"),
        ({"expTimeMillis": millis(NOW)}, "message has expired"),
        ({"expTimeMillis": "soon"}, "time that is none"),
        ({"expTimeMillis": 10**18}, "time that is none"),
        ({"classId": "1234.p_7k3qzd"}, "another issuer"),
        ({"objectId": f"{ISSUER}0.3f9c1a"}, "another issuer"),
        ({"eventType": "sold"}, "neither"),
        ({"nonce": ""}, "no nonce"),
        ({"root": ec.generate_private_key(ec.SECP256R1())}, "No root key"),
    ],
)
def test_what_is_signed_but_wrong_is_refused(google: Google, about: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Unauthenticated, match=sentence):
        verify(raw(google.callback(**about)), ISSUER, google.roots, NOW)


@pytest.mark.parametrize(
    ("where", "change", "sentence"),
    [
        ("protocolVersion", "ECv2", "not signed as"),
        ("protocolVersion", "ECv1", "not signed as"),
        ("signedMessage", lambda text: text.replace("save", "del"), "not signed for"),
        ("signedMessage", lambda text: f"{text} ", "not signed for"),
        ("signedKey", lambda text: text.replace("\\u003d", "="), "No root key"),
        ("signedKey", None, "no signedKey"),
        ("signatures", [], "No root key"),
        ("signatures", "MEUC", "No root key"),
        ("signatures", ["%%%"], "no Base64"),
        ("signature", "MEUCIQ==", "not signed for"),
        ("signature", 7, "no signature"),
        ("intermediateSigningKey", [], "no intermediate key"),
        ("signedMessage", "\ud800", "no signedMessage"),
    ],
)
def test_what_was_changed_on_its_way_is_refused(google: Google, where: str, change: Any, sentence: str) -> None:
    body = json.dumps(tampered(google.callback(), where, change)).encode()
    with pytest.raises(Unauthenticated, match=sentence):
        verify(body, ISSUER, google.roots, NOW)


@pytest.mark.parametrize(
    "junk", [b"", b"{", b"[]", b"\xff\xfe", b"null", b'"x"', b"[" * 10_000, b" " * (MAX_BYTES + 1)]
)
def test_junk_is_refused(google: Google, junk: bytes) -> None:
    with pytest.raises(Unauthenticated, match="no JSON"):
        verify(junk, ISSUER, google.roots, NOW)


def test_a_root_that_has_expired_or_is_of_another_curve_signs_nothing(google: Google) -> None:
    body = raw(google.callback())
    other = der(ec.generate_private_key(ec.SECP384R1()))
    for wrong in ((), (Root(der(google.root), NOW),), (Root(other),), (Root(b"junk"),)):
        with pytest.raises(Unauthenticated, match="No root key"):
            verify(body, ISSUER, wrong, NOW)
    assert verify(body, ISSUER, (Root(b"junk"), Root(other), *google.roots), NOW)


# --- the root keys ---------------------------------------------------------------------------------------------


def document(*served: tuple[bytes, datetime | None, str]) -> bytes:
    found = []
    for key, ends, protocol in served:
        one = {"keyValue": base64.b64encode(key).decode(), "protocolVersion": protocol}
        found.append(one | ({} if ends is None else {"keyExpiration": str(millis(ends))}))
    return json.dumps({"keys": found}).encode()


def test_only_living_keys_of_this_protocol_are_taken(google: Google) -> None:
    good = der(google.root)
    served = document((good, NOW + timedelta(days=9), PROTOCOL), (good, None, "ECv1"), (b"junk", None, PROTOCOL))
    assert keys.parse(served) == (Root(good, NOW + timedelta(days=9)),)
    for broken in (b"", b"[]", b'{"keys": 1}', b"{"):
        with pytest.raises(ValueError, match="no list|Expecting"):
            keys.parse(broken)


def test_keys_are_kept_between_a_floor_and_a_ceiling_and_never_beyond_their_date(google: Google) -> None:
    asked: list[int] = []
    answer: list[bytes | OSError] = [document((der(google.root), NOW + timedelta(days=3), PROTOCOL))]

    def fetch() -> bytes:
        asked.append(1)
        if isinstance(answer[0], OSError):
            raise answer[0]
        return answer[0]

    roots = keys.Roots(fetch)
    for _ in range(50):
        assert roots.at(NOW)
        assert roots.at(NOW + timedelta(seconds=30), unknown=True), "forged callbacks do not make it ask again"
    assert len(asked) == 1
    roots.at(NOW + timedelta(minutes=2), unknown=True)
    assert len(asked) == 2
    roots.at(NOW + timedelta(hours=25))
    assert len(asked) == 3
    answer[0] = OSError("away")
    assert roots.at(NOW + timedelta(days=2)), "what is known stays good while Google is away"
    with pytest.raises(Unavailable):
        roots.at(NOW + timedelta(days=3))
    answer[0] = document((der(google.intermediate), None, PROTOCOL))
    assert roots.at(NOW + timedelta(days=3, minutes=5)) == (Root(der(google.intermediate)),)


def test_an_old_key_in_the_document_makes_no_call_ask_and_no_key_outlives_the_last_answer_for_long(
    google: Google,
) -> None:
    asked: list[int] = []
    answer = document((der(google.intermediate), NOW, PROTOCOL), (der(google.root), None, PROTOCOL))

    def fetch() -> bytes:
        asked.append(1)
        if len(asked) > 1:
            raise OSError("away")
        return answer

    roots = keys.Roots(fetch)
    for minutes in range(0, 60, 2):
        assert roots.at(NOW + timedelta(minutes=minutes)) == (Root(der(google.root)),)
    assert len(asked) == 1
    assert roots.at(NOW + keys.LAST - timedelta(seconds=1))
    with pytest.raises(Unavailable):
        roots.at(NOW + keys.LAST)
