"""Owns a till's device as tests play it: a key of its own, a clock of its own, a queue that it signs and sends."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

Signed = dict[str, str]


class Server(Protocol):
    """What a till speaks to (`tests.world.World` is one)."""

    programme: str

    @property
    def clock(self) -> Callable[[], datetime]: ...
    def client(self) -> Any: ...
    def bearer(self, key: str) -> Mapping[str, str]: ...


def written(raw: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@dataclass
class OfflineTill:
    """A paired device over the wire of the application. `ahead` is how far its clock is ahead; `queue` what it signed,
    by number."""

    world: Server
    key: str
    ahead: timedelta = timedelta(0)
    private: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    queue: list[Signed] = field(default_factory=list)
    device: str = ""
    till: str = ""

    def __post_init__(self) -> None:
        found = self.register()
        self.device, self.till = found["device"], found["till"]

    def register(self, **more: Any) -> Any:
        """Tell the service the key; what it answers."""
        point = self.private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return self.call("PUT", "/v1/offline/device", {"public_key": written(point), **more})

    def call(self, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        """One request, whose answer must have this status."""
        answer = self.world.client().open(path, method=method, json=body, headers=self.world.bearer(self.key))
        assert answer.status_code == status, answer.get_data(as_text=True)
        return answer.get_json() if answer.data else None

    def clock(self) -> datetime:
        """What the device's clock shows."""
        return self.world.clock() + self.ahead

    def sign(self, text: str) -> Signed:
        """The text with its signature, as WebCrypto writes it."""
        r, s = decode_dss_signature(self.private.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return {"text": text, "signature": written(r.to_bytes(32, "big") + s.to_bytes(32, "big"))}

    def note(self, kind: str, body: dict[str, Any], **more: Any) -> Signed:
        """Do something without a network: it is signed and stands in the queue."""
        said = {
            "till": self.till,
            "device": self.device,
            "sequence": len(self.queue) + 1,
            "kind": kind,
            "occurred_at": self.clock().isoformat(),
            "body": body,
            **more,
        }
        self.queue.append(self.sign(json.dumps(said)))
        return self.queue[-1]

    def sell(self, code: str, receipt: str, amount_minor: int, **more: Any) -> Signed:
        """A sale without a network."""
        body = {"code": code, "receipt": receipt, "currency": "EUR", "amount_minor": amount_minor}
        return self.note("sale", body | more)

    def redeem(self, code: str, reference: str, amount: int, allowance: str | None) -> Signed:
        """Points spent without a network."""
        body = {"code": code, "reference": reference, "amount": amount}
        return self.note("redemption", body, **({} if allowance is None else {"allowance": allowance}))

    def send(self, events: Sequence[Signed], *, sequence: int | None = None) -> Any:
        """Bring these; `sequence` is the number that comes next, that of the whole queue unless it is given."""
        body = {"events": list(events), "sequence": sequence or len(self.queue) + 1, "clock": self.clock().isoformat()}
        return self.call("POST", "/v1/offline/events", body)

    def sync(self) -> list[str]:
        """Bring everything; how each stands."""
        found = []
        for first in range(0, len(self.queue), 100):
            found += self.send(self.queue[first : first + 100])["results"]
        if not self.queue:
            self.send([])
        return [one["state"] for one in found]
