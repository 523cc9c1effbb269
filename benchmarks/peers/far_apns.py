"""Owns a push service that is far away: HTTP/2 framed by hand, every push answered 200 after so many milliseconds.

It reads no header and judges nothing, so that one core answers more than any client sends, and it counts what it
answered, which nghttpd does not.

    python -m benchmarks.peers.far_apns CERTIFICATE_PEM KEY_PEM PORT MILLISECONDS

Prints the number of answers when its standard input ends. Source: RFC 9113, sections 3.4, 4.1, 6.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
import sys

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS, PING = 0x0, 0x1, 0x4, 0x6
END_STREAM, ACK = 0x1, 0x1
STREAMS = 1000
_HELLO = struct.pack(">BHBBIHI", 0, 6, SETTINGS, 0, 0, 3, STREAMS) + struct.pack(
    ">BHBBII", 0, 4, 0x8, 0, 0, 2**31 - 1 - 65_535
)


def answer(stream: int) -> bytes:
    """HEADERS with END_HEADERS and END_STREAM; `:status: 200` is entry 8 of HPACK's static table."""
    return b"\x00\x00\x01\x01\x05" + stream.to_bytes(4, "big") + b"\x88"


class Far(asyncio.Protocol):
    """One connection."""

    answered = 0

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._left = b""
        self._greeted = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(_HELLO)

    def data_received(self, data: bytes) -> None:
        whole, at = self._left + data, 0
        if not self._greeted:
            if len(whole) < len(PREFACE):
                self._left = whole
                return
            self._greeted, at = True, len(PREFACE)
        ended: list[int] = []
        while len(whole) - at >= 9:
            length = int.from_bytes(whole[at : at + 3], "big")
            if len(whole) - at < 9 + length:
                break
            kind, flags = whole[at + 3], whole[at + 4]
            if kind in (DATA, HEADERS) and flags & END_STREAM:
                ended.append(int.from_bytes(whole[at + 5 : at + 9], "big"))
            elif kind in (SETTINGS, PING) and not flags & ACK:
                body = whole[at + 9 : at + 17] if kind == PING else b""
                self._write(struct.pack(">BHBBI", 0, len(body), kind, ACK, 0) + body)
            at += 9 + length
        self._left = whole[at:]
        if ended:
            asyncio.get_running_loop().call_later(self._seconds, self._answer, ended)

    def _answer(self, streams: list[int]) -> None:
        Far.answered += len(streams)
        self._write(b"".join(map(answer, streams)))

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)


async def main(certificate: str, key: str, port: int, milliseconds: float) -> None:
    identity = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    identity.load_cert_chain(certificate, key)
    identity.set_alpn_protocols(["h2"])
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Far(milliseconds / 1000), "127.0.0.1", port, ssl=identity)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()
    print(Far.answered, flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
