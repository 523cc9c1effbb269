"""Owns the bench of the phone tests: a small authority, signed passes, and an honest web service on loopback."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import io
import json
import zipfile
from collections import deque
from dataclasses import replace
from email.utils import formatdate, parsedate_to_datetime

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7Options, PKCS7SignatureBuilder
from cryptography.x509.oid import NameOID

from wallet_server.sandbox.phones import Behaviour, Fleet, Line, LinkRefused, Retry, Throttle

PASS_TYPE, TEAM = "pass.example.card", "ABCDE12345"
ICON = bytes.fromhex("89504e470d0a1a0a")
DAY = dt.timedelta(days=1)
QUICK = Behaviour(debounce_seconds=0.01, retry=Retry(attempts=4, first_seconds=0.01, limit_seconds=0.05))
LINE = Line(concurrency=32)


class Authority:
    """A root, an intermediate and as many pass certificates as a test wants."""

    def __init__(self):
        self.root_key = ec.generate_private_key(ec.SECP256R1())
        self.root = self.certificate("Test Root", self.root_key, None, None, ca=True)
        self.root_pem = self.root.public_bytes(Encoding.PEM)
        self.wwdr_key = ec.generate_private_key(ec.SECP256R1())
        self.wwdr = self.certificate("Test WWDR", self.wwdr_key, self.root, self.root_key, ca=True)
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.leaf = self.pass_certificate()

    def certificate(self, name, key, issuer, issuer_key, ca=False, days=(-30, 365), extra=()):
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name), *extra])
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.subject if issuer else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + days[0] * DAY)
            .not_valid_after(now + days[1] * DAY)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        return builder.sign(issuer_key or key, SHA256())

    def pass_certificate(self, pass_type=PASS_TYPE, team=TEAM, days=(-30, 365), key=None):
        extra = [
            x509.NameAttribute(NameOID.USER_ID, pass_type),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, team),
        ]
        name = f"Pass Type ID: {pass_type}"
        return self.certificate(name, key or self.key, self.wwdr, self.wwdr_key, days=days, extra=extra)

    def sign(self, manifest, leaf=None, key=None, chain=None, digest=SHA256, options=(PKCS7Options.DetachedSignature,)):
        builder = PKCS7SignatureBuilder().set_data(manifest).add_signer(leaf or self.leaf, key or self.key, digest())
        for certificate in [self.wwdr] if chain is None else chain:
            builder = builder.add_certificate(certificate)
        return builder.sign(Encoding.DER, [PKCS7Options.Binary, *options])


def card(serial="S1", points=10, **changes):
    """The pass.json of a store card with a points field, a tier and a news field on the back."""
    document = {
        "formatVersion": 1,
        "passTypeIdentifier": PASS_TYPE,
        "teamIdentifier": TEAM,
        "serialNumber": serial,
        "organizationName": "Corner Café",
        "description": "Loyalty card",
        "logoText": "Corner",
        "backgroundColor": "rgb(24, 44, 82)",
        "foregroundColor": "rgb(255, 255, 255)",
        "barcodes": [{"format": "PKBarcodeFormatQR", "message": f"C-{serial}", "messageEncoding": "iso-8859-1"}],
        "storeCard": {
            "headerFields": [{"key": "tier", "label": "TIER", "value": "TIER_SILVER", "changeMessage": "Now %@"}],
            "primaryFields": [{"key": "points", "label": "POINTS", "value": points, "changeMessage": "POINTS_CHANGED"}],
            "backFields": [{"key": "news", "label": "NEWS", "value": "Hello", "changeMessage": "%@"}],
        },
    }
    document.update(changes)
    return {key: value for key, value in document.items() if value is not None}


STRINGS = {
    "en.lproj/pass.strings": '"POINTS_CHANGED" = "You have %@ points";\n"TIER_SILVER" = "Silver";'.encode("utf-16"),
    "fr.lproj/pass.strings": '"POINTS_CHANGED" = "Vous avez %@ points";\n"TIER_SILVER" = "Argent";'.encode("utf-16"),
}


def pack(document, authority, files=None, manifest=None, add=None, **signing):
    """A .pkpass. `manifest` changes the listing before it is signed, `add` puts files in after it."""
    files = {"pass.json": json.dumps(document).encode(), "icon.png": ICON, **STRINGS, **(files or {})}
    files = {name: raw for name, raw in files.items() if raw is not None}
    listing = {name: hashlib.sha1(raw, usedforsecurity=False).hexdigest() for name, raw in files.items()}
    if manifest:
        manifest(listing)
    files["manifest.json"] = json.dumps(listing).encode()
    files["signature"] = authority.sign(files["manifest.json"], **signing)
    files |= add or {}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, raw in files.items():
            archive.writestr(name, raw)
    return out.getvalue()


class Record:
    def __init__(self, document, tag):
        self.document, self.tag, self.modified = document, tag, 1_700_000_000


class WebService:
    """Apple's web service as documented, with switches for the faults a test wants to see answered."""

    def __init__(self, authority):
        self.authority = authority
        self.passes, self.registered, self.requests, self.logs = {}, {}, [], []
        self.tag = 0
        self.faults = deque()  # (method and start of path, status): answered once each, in order
        self.base = ""
        self.conditional = self.dated = True
        self.repack = self.list_also = None
        self.tag_text = str
        self.signed = {}

    def application(self):
        app = web.Application(middlewares=[self.guard])
        device = "/v1/devices/{device}/registrations/{type}"
        app.router.add_post(device + "/{serial}", self.register)
        app.router.add_delete(device + "/{serial}", self.unregister)
        app.router.add_get(device, self.hooked("serials"))
        app.router.add_get("/v1/passes/{type}/{serial}", self.hooked("fetch"))
        app.router.add_post("/v1/log", self.log)
        app.router.add_get("/join/{serial}", self.join)
        app.router.add_get("/short/{serial}", self.short)
        app.router.add_get("/used/{serial}", self.used)
        app.router.add_get("/page/{serial}", self.page)
        app.router.add_get("/files/{serial}.pkpass", self.join)
        return app

    def hooked(self, name):
        """The handler of that name at the time of the request: a test may have put its own in its place."""

        async def handle(request):
            return await getattr(self, name)(request)

        return handle

    @web.middleware
    async def guard(self, request, handler):
        self.requests.append((request.method, request.path))
        if self.faults:
            method, start, status = self.faults[0]
            if request.method == method and request.path.startswith(start):
                self.faults.popleft()
                return web.Response(status=status)
        return await handler(request)

    def count(self, method, start):
        return sum(1 for verb, path in self.requests if verb == method and path.startswith(start))

    def put(self, document):
        """Issue or change a pass: a new version with a new tag and a later Last-Modified."""
        self.tag += 1
        key = document["passTypeIdentifier"], document["serialNumber"]
        record = Record(document, self.tag)
        if key in self.passes:
            record.modified = self.passes[key].modified + 1
        self.passes[key] = record
        self.signed.pop(key, None)
        return self.pkpass(key)

    def pkpass(self, key):
        if key not in self.signed:
            self.signed[key] = pack(self.passes[key].document, self.authority)
        return self.signed[key]

    def tokens(self, serial):
        return {token for (_, _, name), token in self.registered.items() if name == serial}

    def allowed(self, request):
        record = self.passes.get((request.match_info["type"], request.match_info["serial"]))
        token = record and record.document.get("authenticationToken", "sixteen-or-more-chars")
        return token and request.headers.get("Authorization") == f"ApplePass {token}"

    def _registration(self, request):
        info = request.match_info
        return info["device"], info["type"], info["serial"]

    async def register(self, request):
        if not self.allowed(request):
            return web.Response(status=401)
        key = self._registration(request)
        known = key in self.registered
        self.registered[key] = (await request.json())["pushToken"]
        return web.Response(status=200 if known else 201)

    async def unregister(self, request):
        if not self.allowed(request):
            return web.Response(status=401)
        self.registered.pop(self._registration(request), None)
        return web.Response()

    async def serials(self, request):
        device, kind = request.match_info["device"], request.match_info["type"]
        since = int(request.query.get("passesUpdatedSince", "0"))
        mine = [key for key in self.passes if key[0] == kind and (device, *key) in self.registered]
        fresh = [key[1] for key in mine if self.passes[key].tag > since] + list(self.list_also or ())
        if not fresh:
            return web.Response(status=204)
        return web.json_response({"serialNumbers": fresh, "lastUpdated": self.tag_text(self.tag)})

    async def fetch(self, request):
        if not self.allowed(request):
            return web.Response(status=401)
        key = request.match_info["type"], request.match_info["serial"]
        record = self.passes[key]
        since = request.headers.get("If-Modified-Since")
        if self.conditional and since and parsedate_to_datetime(since).timestamp() == record.modified:
            return web.Response(status=304)
        headers = {"Last-Modified": formatdate(record.modified, usegmt=True)} if self.dated else {}
        body = self.repack(record.document) if self.repack else self.pkpass(key)
        return web.Response(body=body, headers=headers, content_type="application/vnd.apple.pkpass")

    async def log(self, request):
        self.logs += (await request.json())["logs"]
        return web.Response()

    async def join(self, request):
        body = self.pkpass((PASS_TYPE, request.match_info["serial"]))
        return web.Response(body=body, content_type="application/vnd.apple.pkpass")

    async def used(self, request):
        answer = await self.join(request)
        answer.set_status(410)
        return answer

    async def page(self, request):
        """A card's page, at the end of a redirect, with a link to its file that is relative to where it ends."""
        if "moved" not in request.query:
            raise web.HTTPFound(f"{request.path}?moved=yes")
        link = {"S1": "../files/S1.pkpass?a=1&amp;b=2#x", "typed": "/join/S1", "mail": "mailto:a@example.com"}
        kind = ' type="application/vnd.apple.pkpass"' if request.match_info["serial"] in ("typed", "mail") else ""
        target = link.get(request.match_info["serial"], "/elsewhere")
        body = f'<!doctype html><title>Card</title><a href="/help">Help</a> <A{kind} HREF="{target}">Add</A>'
        return web.Response(text=body, content_type="text/html")

    async def short(self, request):
        raise web.HTTPFound(f"/join/{request.match_info['serial']}")


class Bench:
    """The web service running on loopback, a fleet of phones beside it, and the way a change takes between them."""

    def __init__(self, authority, behaviour=QUICK, folder=None, now=None, line=LINE):
        self.authority = authority
        self.service = WebService(authority)
        clock = {"now": now} if now else {}
        self.make = lambda: Fleet(authority.root_pem, behaviour=behaviour, folder=folder, line=line, **clock)

    async def __aenter__(self):
        await self.start(0)
        self.fleet = await self.make().__aenter__()
        return self

    async def start(self, port):
        self.runner = web.AppRunner(self.service.application(), access_log=None, shutdown_timeout=0.1)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", port, reuse_address=True).start()
        self.port = self.runner.addresses[0][1]
        self.service.base = f"http://127.0.0.1:{self.port}"

    async def __aexit__(self, *exc):
        await self.fleet.__aexit__(*exc)
        await self.runner.cleanup()

    def card(self, serial="S1", points=10, **changes):
        service = {"webServiceURL": self.service.base, "authenticationToken": "sixteen-or-more-chars"}
        return card(serial, points, **(service | changes))

    def pack(self, document, **options):
        return pack(document, self.authority, **options)

    def hook(self, name, handler):
        """Put another handler in the place of one of the service's."""
        setattr(self.service, name, handler)

    async def phone_with(self, *serials, language="en"):
        """A phone with a card of 10 points for each serial, registered."""
        phone = self.fleet.add_phone(language)
        for serial in serials or ("S1",):
            if (PASS_TYPE, serial) not in self.service.passes:
                self.service.put(self.card(serial))
            await phone.add(self.service.pkpass((PASS_TYPE, serial)))
        return phone

    async def ring(self, *serials):
        """Push to every phone that is registered for these serials, and wait until all is quiet."""
        for token in {token for serial in serials for token in self.service.tokens(serial)}:
            await self.fleet.push(token, PASS_TYPE)
        await self.fleet.settle(60)

    async def change(self, document):
        self.service.put(document)
        await self.ring(document["serialNumber"])


@pytest.fixture(scope="session")
def authority():
    return Authority()


@pytest.fixture
def play(authority):
    """Run a story `async def story(bench)` against a fresh bench."""

    def run(story, **options):
        async def whole():
            async with asyncio.timeout(120), Bench(authority, **options) as bench:
                await story(bench)
                assert bench.fleet.counters["crashes"] == 0

        asyncio.run(whole())

    return run


@pytest.fixture
def narrow():
    """A line for two requests at a time that gives each of them three seconds."""
    return Line(concurrency=2, request_seconds=3.0)


@pytest.fixture
def habits():
    def change(throttled_after=None, **changes):
        throttle = Throttle(pushes=throttled_after) if throttled_after else None
        return replace(QUICK, throttle=throttle, **changes)

    return change


@pytest.fixture
def refused_link():
    return lambda text: pytest.raises(LinkRefused, match=text)


@pytest.fixture
def make_card():
    return card


@pytest.fixture
def make_pass(authority):
    return lambda document=None, **options: pack(document or card(), authority, **options)
