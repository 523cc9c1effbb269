"""Owns the bench of the tests of the sandbox's Google: one server, clients that are not the product's, sample bodies,
and somebody who is called back."""

from __future__ import annotations

import copy
import itertools
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from google.auth import crypt
from google.auth import jwt as google_jwt
from google.auth.transport.requests import AuthorizedSession, Request
from google.oauth2.service_account import Credentials

from wallet_server.sandbox.authority import Authority
from wallet_server.sandbox.google import Discovery, GoogleServer

ISSUER = "3388000000022000001"
SCOPES = ["https://www.googleapis.com/auth/wallet_object.issuer"]
NUMBERS = itertools.count(1)


class Clock:
    """The time, and as much later as a test says."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class Bench:
    """A server, the root that it is trusted by, and an account of an issuer."""

    google: GoogleServer
    clock: Clock
    root: str
    issuer: str = ISSUER
    account: dict[str, str] = field(default_factory=dict)

    def credentials(self) -> Credentials:
        return Credentials.from_service_account_info(self.account, scopes=SCOPES)

    def session(self) -> AuthorizedSession:
        """Google's own client for signed-in requests, unmodified."""
        inner = requests.Session()
        inner.verify, inner.trust_env = self.root, False  # else a bundle named by the environment would go first
        session = AuthorizedSession(self.credentials(), auth_request=Request(inner))
        session.verify, session.trust_env = self.root, False
        return session

    def url(self, path: str) -> str:
        return f"{self.google.address}/walletobjects/v1/{path}"

    def class_body(self, **changes: Any) -> dict[str, Any]:
        return loyalty_class(f"{self.issuer}.club{next(NUMBERS)}") | changes

    def object_body(self, class_id: str, **changes: Any) -> dict[str, Any]:
        return loyalty_object(f"{self.issuer}.pass{next(NUMBERS)}", class_id) | changes

    def made(self, session: AuthorizedSession, **changes: Any) -> tuple[str, str]:
        """A class and an object of it: their ids. `changes` are of the class."""
        above = self.class_body(**changes)
        assert session.post(self.url("loyaltyClass"), json=above).status_code == 200
        below = self.object_body(above["id"])
        assert session.post(self.url("loyaltyObject"), json=below).status_code == 200
        return above["id"], below["id"]

    def link(self, *ids: str, **claims: Any) -> str:
        """The JWT of a save link, signed by google-auth with the account's key."""
        payload = {"loyaltyObjects": [{"id": one} for one in ids]}
        body = {
            "iss": self.account["client_email"],
            "aud": "google",
            "typ": "savetowallet",
            "iat": int(time.time()),
            "origins": [],
            "payload": payload,
        }
        return google_jwt.encode(crypt.RSASigner.from_service_account_info(self.account), body | claims).decode()


class Called:
    """A shop's web server on loopback: it remembers what it is sent. `answers` are the statuses it gives, the last one
    for ever; `robots` is its robots.txt, None: it has none."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.agents: list[str] = []
        self.answers = [200]
        self.robots: str | None = None
        called = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(200 if called.robots is not None else 404, (called.robots or "").encode())

            def do_POST(self) -> None:
                called.agents.append(self.headers["User-Agent"])
                called.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                self._answer(called.answers.pop(0) if len(called.answers) > 1 else called.answers[0], b"")

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/called/back"


@pytest.fixture
def called() -> Iterator[Called]:
    made = Called()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()


def loyalty_class(id_: str) -> dict[str, Any]:
    return {
        "id": id_,
        "issuerName": "Bäckerei Süß",
        "programName": "Brotclub",
        "programLogo": {"sourceUri": {"uri": "https://example.com/logo.png"}},
        "reviewStatus": "UNDER_REVIEW",
        "multipleDevicesAndHoldersAllowedStatus": "ONE_USER_ALL_DEVICES",
    }


def loyalty_object(id_: str, class_id: str) -> dict[str, Any]:
    return copy.deepcopy(
        {
            "id": id_,
            "classId": class_id,
            "state": "ACTIVE",
            "accountName": "Ada",
            "barcode": {"type": "QR_CODE", "value": "C-1", "alternateText": "C-1"},
            "loyaltyPoints": {"label": "Points", "balance": {"int": 10}},
            "textModulesData": [{"id": "a", "header": "A", "body": "one"}, {"id": "b", "header": "B", "body": "two"}],
        }
    )


@pytest.fixture(scope="session")
def discovery() -> Discovery:
    return Discovery.load()


@pytest.fixture(scope="session")
def google_authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.open(tmp_path_factory.mktemp("google") / "authority", datetime.now(UTC))


@pytest.fixture(scope="module")
def running(
    google_authority: Authority, discovery: Discovery, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    """One server for a module; `bench` gives it to a test with every switch at rest."""
    root: Path = tmp_path_factory.mktemp("trust") / "root.pem"
    root.write_bytes(google_authority.root_pem)
    clock = Clock()
    with GoogleServer(google_authority, discovery=discovery, clock=clock).in_thread() as google:
        yield Bench(google, clock, str(root), account=google.issue_account(ISSUER))


@pytest.fixture
def bench(running: Bench) -> Iterator[Bench]:
    yield running
    google = running.google
    running.clock.ahead = timedelta()
    google.accounts.clock = lambda: datetime.now(UTC)
    google.tell(None)
    google.tell(None, ISSUER)
    google.respell(old=True)
    google.allow_locations(ISSUER, allowed=True)
    google.permit(ISSUER, running.account["client_email"], allowed=True)
    google.switches.quota_status, google.switches.per_second, google.switches.duplicates = 403, None, 1
    google.switches.review = ("APPROVED", "")


@pytest.fixture(scope="module")
def signed_in(running: Bench) -> Iterator[AuthorizedSession]:
    with running.session() as made:
        yield made


@pytest.fixture
def session(bench: Bench, signed_in: AuthorizedSession) -> AuthorizedSession:
    """A client that the server knows, with the server's switches at rest."""
    return signed_in
