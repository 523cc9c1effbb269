"""Owns the server that ours is compared with: a Flask application under Granian as ours is, with a route that says ok
and, where a database is named, one that counts a sale of the fixed reference. In front of it, without Flask, stands
what a changed pass costs without a thought: one look at the database, the hashes, the signature, the bytes.

python -m benchmarks.bare 8081 --threads 8
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import os
import sqlite3
import threading
import zlib
from collections.abc import Callable, Iterable
from typing import Any

import psycopg
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from flask import Flask, Response, jsonify, request
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server import Server

from benchmarks.reference import reference_sale

ROUTE, SALE, PASS = "/hello", "/sale", "/pass/"
DATABASE = "REFERENCE_DATABASE"
"""The variable that names the PostgreSQL on which the reference has its tables."""
PASSES = "PASSES_DATABASE"
"""The variable that names the database in which the product keeps passes: a file of SQLite, or an address."""
FRONT_BYTES = 84_000
"""The pictures of a pass, which are packed beforehand."""
_SHEET = (
    "SELECT p.token_sha256, u.card, u.number, u.seen FROM passes p JOIN publications u ON u.pass_id = p.id "
    "WHERE p.pass_type = {0} AND p.serial = {0}"
)
"""By the whole of the key: by the serial alone the database goes through the index, which made this look twice as dear
as it is."""


class Thoughtless:
    """WSGI: a pass that is neither composed nor checked, whose secrets are not sealed and of which nothing is noted.
    What is left is what any server in this interpreter has to do."""

    def __init__(self, app: Callable[..., Iterable[bytes]], database: str) -> None:
        self._app, self._database, self._own = app, database, threading.local()
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._how, self._digest = padding.PKCS1v15(), hashes.SHA256()
        self._front = os.urandom(FRONT_BYTES)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path: str = environ["PATH_INFO"]
        if not path.startswith(PASS):
            return self._app(environ, start_response)
        token, card = self._sheet(*path[len(PASS) :].split("/"))
        given = hashlib.sha256(environ.get("HTTP_AUTHORIZATION", "").partition(" ")[2].encode()).digest()
        if not hmac.compare_digest(given, token):
            start_response("401 UNAUTHORIZED", [("Content-Length", "0")])
            return ()
        text = card.encode()
        manifest = b'{"pass.json":"%b"}' % hashlib.sha1(text, usedforsecurity=False).hexdigest().encode()
        attributes = hashlib.sha256(manifest).digest() + bytes(75)
        signature = self._key.sign(attributes, self._how, self._digest)
        checks = b"".join(zlib.crc32(one).to_bytes(4, "little") for one in (text, manifest, signature))
        body = b"".join((self._front, text, manifest, signature, checks))
        media = "application/vnd.apple.pkpass"
        start_response("200 OK", [("Content-Type", media), ("Content-Length", str(len(body)))])
        return (body,)

    def _sheet(self, pass_type: str, serial: str) -> tuple[bytes, str]:
        own = self._own
        if not hasattr(own, "ask"):
            own.ask = self._connected()
        token, card, _, _ = own.ask((pass_type, serial)).fetchone()
        return bytes(token), card

    def _connected(self) -> Callable[[tuple[str, str]], Any]:
        if "://" not in self._database:
            file = sqlite3.connect(self._database)
            for pragma in ("mmap_size=268435456", "cache_size=-65536"):
                file.execute(f"PRAGMA {pragma}")
            return lambda values: file.execute(_SHEET.format("?"), values)
        server = psycopg.connect(self._database, autocommit=True)
        cursor = server.cursor(binary=True)
        return lambda values: cursor.execute(_SHEET.format("%s"), values, prepare=True)


def application() -> Callable[..., Iterable[bytes]]:
    """What Granian calls in its server process."""
    app = Flask(__name__)

    @app.get(ROUTE)
    def hello() -> Response:
        return Response("ok", mimetype="text/plain")

    own = threading.local()

    @app.post(SALE)
    def sale() -> Response:
        if not hasattr(own, "connection"):
            own.connection = psycopg.connect(os.environ[DATABASE])
        body = request.get_json()
        reference_sale(own.connection, body["code"], body["receipt"])
        return jsonify({"receipt": body["receipt"]})

    return Thoughtless(app, os.environ[PASSES]) if PASSES in os.environ else app


def main() -> None:
    parser = argparse.ArgumentParser(description="A bare Flask route under Granian.")
    parser.add_argument("port", type=int)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--threads", type=int, default=8)
    options = parser.parse_args()
    Server(
        "benchmarks.bare:application",
        address="127.0.0.1",
        port=options.port,
        interface=Interfaces.WSGI,
        workers=options.workers,
        blocking_threads=options.threads,
        factory=True,
        log_level=LogLevels.warning,
    ).serve()


if __name__ == "__main__":
    main()
