"""Owns the pushes of benchmarks/apns_fanout.py as aioapns sends them, over one connection; run in a venv that has it.

    python apns_peer.py HOST:PORT ROOT_PEM CERTIFICATE_AND_KEY_PEM TOPIC SENDS DEPTH PREFIX

Prints: accepted, wall seconds, processor seconds. Takes nothing of this repository.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
import time
from typing import Any

from aioapns import APNs, NotificationRequest, PushType


async def main(address: str, root: str, pair: str, topic: str, sends: int, depth: int, prefix: str) -> None:
    trust = ssl.create_default_context(cafile=root)
    trust.set_alpn_protocols(["h2"])
    client = APNs(client_cert=pair, topic=topic, max_connections=1, ssl_context=trust)
    kind = client.pool.protocol_class
    kind.APNS_SERVER, kind.APNS_PORT = address.split(":")[0], int(address.split(":")[1])
    taken = kind.on_response_received

    def in_turn(self: Any, headers: dict[bytes, bytes]) -> None:
        # It wants its apns-id back, which Apple sends and these servers do not; they answer in the order of asking.
        taken(self, {**headers, b"apns-id": next(iter(self.requests), "").encode()})

    kind.on_response_received = in_turn
    kind.on_data_received = lambda *_: None  # nghttpd sends an empty body, which it would read as JSON
    accepted = 0
    numbers = iter(range(sends))

    async def push(number: int) -> None:
        nonlocal accepted
        token = f"{prefix}{number:064x}"
        wanted = NotificationRequest(device_token=token, message={}, push_type=PushType.BACKGROUND, priority=5)
        answer = await client.send_notification(wanted)
        accepted += answer.is_successful

    async def pushes() -> None:
        for number in numbers:
            await push(number)

    await push(0)
    accepted, begun, spent = 0, time.perf_counter(), time.process_time()
    await asyncio.gather(*(pushes() for _ in range(depth)))
    print(accepted, time.perf_counter() - begun, time.process_time() - spent)


if __name__ == "__main__":
    where, trusted, own, about, count, in_flight, first = sys.argv[1:]
    asyncio.run(main(where, trusted, own, about, int(count), int(in_flight), first))
