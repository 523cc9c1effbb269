"""Owns tills that cost next to nothing: what is measured through them is the server, on whose cores they run.

A process of its own has one connection for each till and waits for all of them at once. The requests are made before,
and of an answer no more is read than that it is whole and a 200.
"""

from __future__ import annotations

import multiprocessing
import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from urllib.parse import urlsplit

from benchmarks.sales_reference import Turn

ANSWER_SECONDS = 30.0
PIECE = 65_536
_GOOD, _END, _LENGTH = b"HTTP/1.1 200", b"\r\n\r\n", b"content-length:"


def sell(base: str, keys: Sequence[str], bodies: Sequence[bytes]) -> Turn:
    """Send every sale over a till for each key, the next as soon as one is answered. Raises RuntimeError when one is
    refused or none is answered for half a minute."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe(duplex=False)
    process = spawn.Process(target=_work, args=(base, keys, bodies, there), daemon=True)
    process.start()
    there.close()
    try:
        told: Turn | str = here.recv()
    except EOFError:
        told = "the tills ended without a word"
    finally:
        process.join(5)
        if process.is_alive():
            process.terminate()
    if isinstance(told, str):
        raise RuntimeError(told)
    return told


def _work(base: str, keys: Sequence[str], bodies: Sequence[bytes], answers: Connection) -> None:
    try:
        answers.send(_sold(base, keys, bodies))
    except Exception as fault:  # noqa: BLE001 - whatever it was, the process that waits must hear of it
        answers.send(repr(fault))


def _sold(base: str, keys: Sequence[str], bodies: Sequence[bytes]) -> Turn:
    parts = urlsplit(base)
    host, port = parts.hostname or "", parts.port or 80
    waiting = _requests(host, keys, bodies)
    tills = selectors.DefaultSelector()
    for requests in waiting:
        line = socket.create_connection((host, port), timeout=ANSWER_SECONDS)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tills.register(line, selectors.EVENT_READ, requests)
    begun, spent, left = time.perf_counter(), time.process_time(), len(bodies)
    for key in tills.get_map().values():
        _send(key.fileobj, key.data)
    while left:
        ready = tills.select(ANSWER_SECONDS)
        if not ready:
            raise RuntimeError(f"{left} sales were not answered")
        for key, _ in ready:
            _whole(key.fileobj)
            left -= 1
            _send(key.fileobj, key.data)
    turn = Turn(len(bodies), time.perf_counter() - begun, time.process_time() - spent)
    for key in list(tills.get_map().values()):
        key.fileobj.close()  # type: ignore[union-attr]
    return turn


def _requests(host: str, keys: Sequence[str], bodies: Sequence[bytes]) -> list[Iterator[bytes]]:
    heads = [
        f"POST /v1/sales HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: "
        for key in keys
    ]
    return [
        iter([f"{head}{len(body)}\r\n\r\n".encode() + body for body in bodies[number :: len(keys)]])
        for number, head in enumerate(heads)
    ]


def _send(line: object, requests: Iterator[bytes]) -> None:
    assert isinstance(line, socket.socket)
    request = next(requests, None)
    if request is not None:
        line.sendall(request)


def _whole(line: object) -> None:
    assert isinstance(line, socket.socket)
    got = line.recv(PIECE)
    while (end := got.find(_END)) < 0:
        got += _more(line)
    head = got[:end].lower()
    if not got.startswith(_GOOD):
        raise RuntimeError(got[:1000].decode(errors="replace"))
    at = head.index(_LENGTH) + len(_LENGTH)
    length = int(head[at:].split(b"\r\n", 1)[0])
    while len(got) < end + len(_END) + length:
        got += _more(line)


def _more(line: socket.socket) -> bytes:
    piece = line.recv(PIECE)
    if not piece:
        raise RuntimeError("the server closed a connection")
    return piece
