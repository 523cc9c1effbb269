"""Owns what is known about phones behind the sandbox's own authority and APNs server, over real HTTP/2."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import pycurl
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from wallet_server.sandbox.apns import ApnsServer
from wallet_server.sandbox.authority import Authority as DevelopmentAuthority
from wallet_server.sandbox.passes import Trust, open_pass


@pytest.fixture
def development(tmp_path):
    return DevelopmentAuthority.open(tmp_path, datetime.now(UTC))


def push(development, identity, url, token, expiration="4000000000"):
    """One notification as a pass server sends it; gives the status and the reason."""
    certificate, key = identity
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, f"{url}/3/device/{token}")
    curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2_0)
    curl.setopt(pycurl.SSLCERT_BLOB, certificate)
    curl.setopt(pycurl.SSLKEY_BLOB, key)
    curl.setopt(pycurl.CAINFO_BLOB, development.root_pem.decode())
    curl.setopt(pycurl.POSTFIELDS, "{}")
    curl.setopt(pycurl.HTTPHEADER, ["apns-topic: pass.example.card", f"apns-expiration: {expiration}"])
    body = curl.perform_rs()
    status = curl.getinfo(pycurl.RESPONSE_CODE)
    curl.close()
    return status, json.loads(body or "{}").get("reason")


def test_a_push_over_http2_wakes_the_phone_and_a_restored_phone_leaves_a_dead_token(play, development):
    identity = development.pass_certificate("pass.example.card", "ABCDE12345")

    async def story(bench):
        phone = await bench.phone_with()
        fleet, old = bench.fleet, phone.push_token
        async with ApnsServer(development, on_push=fleet.on_push, known_tokens=fleet.known_token) as apns:

            async def send(token):
                return await asyncio.to_thread(push, development, identity, apns.address, token)

            bench.service.put(bench.card(points=11))
            assert await send(old) == (200, None)
            await phone.until(lambda it: it.lock_screen)
            assert phone.lock_screen[0].text == "You have 11 points"
            await fleet.restore(phone.device_id)
            assert await send(old) == (410, "Unregistered")
            assert await send("00" * 32) == (400, "BadDeviceToken")

    play(story)


def test_the_development_certificates_sign_passes_that_a_phone_accepts(development, make_pass):
    certificate, key = development.pass_certificate("pass.example.card", "ABCDE12345")
    raw = make_pass(
        leaf=x509.load_pem_x509_certificate(certificate),
        key=load_pem_private_key(key, None),
        chain=[x509.load_pem_x509_certificate(development.wwdr_pem)],
    )
    assert open_pass(raw, Trust(development.root_pem)).serial == "S1"
