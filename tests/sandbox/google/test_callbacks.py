"""Owns the proof that callbacks are signed as Google's: verified by a few lines on `cryptography` that share nothing
with the code that signs."""

from __future__ import annotations

import base64
import json
import struct
import time
from typing import Any

import pytest
import requests
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from google.auth.transport.requests import AuthorizedSession

from tests.sandbox.google.conftest import ISSUER, Bench, Called


def verify(body: bytes, roots: dict[str, Any], issuer: str) -> dict[str, Any]:
    """Google's documented steps; raises InvalidSignature."""

    def check(key: str, signature: str, *parts: str) -> None:
        raw = [part.encode() for part in parts]
        signed = b"".join(struct.pack("<I", len(part)) + part for part in raw)
        load_der_public_key(base64.b64decode(key)).verify(base64.b64decode(signature), signed, ECDSA(SHA256()))  # type: ignore[call-arg, union-attr, arg-type]

    outer = json.loads(body)
    assert outer["protocolVersion"] == "ECv2SigningOnly"
    inner = outer["intermediateSigningKey"]
    (root,) = [one for one in roots["keys"] if one["protocolVersion"] == "ECv2SigningOnly"]
    assert int(root["keyExpiration"]) > time.time() * 1000
    check(root["keyValue"], inner["signatures"][0], "GooglePayPasses", "ECv2SigningOnly", inner["signedKey"])
    assert "\\u003d" in inner["signedKey"], "escaped as Google escapes it"
    key = json.loads(inner["signedKey"])
    assert int(key["keyExpiration"]) > time.time() * 1000
    message = outer["signedMessage"]
    check(key["keyValue"], outer["signature"], "GooglePayPasses", issuer, "ECv2SigningOnly", message)
    found: dict[str, Any] = json.loads(message)
    assert found["expTimeMillis"] > time.time() * 1000
    return found


def save(bench: Bench, below: str, account: str = "ada") -> None:
    answer = requests.post(bench.google.save_url + bench.link(below), data={"account": account}, verify=bench.root)
    assert answer.ok, answer.text
    bench.google.run(bench.google.callbacks.settle())


def test_saving_and_removing_call_back_with_googles_signature(
    bench: Bench, session: AuthorizedSession, called: Called
) -> None:
    above, below = bench.made(session, callbackOptions={"url": called.url})
    save(bench, below)
    roots = requests.get(bench.google.keys_url, verify=bench.root).json()
    message = verify(called.bodies[0], roots, ISSUER)
    assert (message["classId"], message["objectId"], message["eventType"]) == (above, below, "save")
    with pytest.raises(InvalidSignature):
        verify(called.bodies[0], roots, "3388000000022000002")
    with pytest.raises(InvalidSignature):
        verify(called.bodies[0].replace(b'\\"save\\"', b'\\"del\\"'), roots, ISSUER)

    async def remove() -> None:
        stored = bench.google.shelf.get("loyaltyObject", below)
        bench.google.unsave(stored, "ada")
        bench.google.unsave(stored, "ada")
        await bench.google.callbacks.settle()

    bench.google.run(remove())
    gone = verify(called.bodies[1], roots, ISSUER)
    assert gone["eventType"] == "del"
    assert gone["nonce"] != message["nonce"]
    assert len(called.bodies) == 2, "removed once, told once"
    assert "Googlebot" in called.agents[0]


def test_callbacks_are_tried_again_and_doubled(bench: Bench, session: AuthorizedSession, called: Called) -> None:
    _, below = bench.made(session, callbackOptions={"url": called.url})
    called.answers = [500, 200]
    save(bench, below)
    assert len(called.bodies) == 2
    bench.google.switches.duplicates = 3
    _, other = bench.made(session, callbackOptions={"url": called.url})
    save(bench, other)
    assert len(called.bodies) == 5
    assert len(set(called.bodies[2:])) == 1, "the very same words"


def test_robots_are_obeyed_and_plain_http_is_called_on_loopback_alone(
    bench: Bench, session: AuthorizedSession, called: Called
) -> None:
    called.robots = "User-agent: *\nDisallow: /called/"
    _, below = bench.made(session, callbackOptions={"url": called.url})
    _, other = bench.made(session, callbackOptions={"url": "http://shop.example/back"})
    before = bench.google.callbacks.counts.copy()
    save(bench, below)
    save(bench, other)
    assert called.bodies == []
    assert bench.google.callbacks.counts - before == {"forbidden": 1, "refused": 1}
    called.robots = "User-agent: Googlebot\nAllow: /called/\n\nUser-agent: *\nDisallow: /"
    save(bench, below)
    assert len(called.bodies) == 1
