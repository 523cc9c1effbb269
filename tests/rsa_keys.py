"""Owns the RSA keys of a test session: whoever makes one of 2048 bits takes one that this session has made before.

To find one takes a slow core a tenth of a second and more, and the tests want hundreds. All processes of a session
share a ring of keys in its folder and go round in it: a test meets none a second time before it has taken them all.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

FOLDER = "TEST_RSA_KEYS"
"""The variable that names the ring's folder to the processes that the tests start."""
RING = 24
SIZE, EXPONENT = 2048, 65537


def share(folder: Path) -> None:
    """From now on this process and those it starts take their keys from the ring in `folder`."""
    folder.mkdir(exist_ok=True)
    os.environ[FOLDER] = str(folder)
    rsa.generate_private_key = _from_ring(folder, rsa.generate_private_key)  # type: ignore[assignment]
    for read in ("load_pem_private_key", "load_der_private_key"):
        setattr(serialization, read, _checked_once(getattr(serialization, read)))


def shared() -> None:
    """The same in a process that was started, if whoever started it shares."""
    if folder := os.environ.get(FOLDER):
        share(Path(folder))


def _checked_once(read: Callable[..., Any]) -> Callable[..., Any]:
    """To check that a key's primes are primes takes longer than all else about it, and the ring's keys come again and
    again: what this process has read and found good it reads without that check."""
    good: set[tuple[bytes, bytes | None]] = set()

    def checked(data: bytes, password: bytes | None, backend: object = None, **more: bool) -> Any:
        known = bytes(data), password
        if known in good:
            more["unsafe_skip_rsa_key_validation"] = True
        key = read(data, password, backend, **more)
        if not more:
            good.add(known)
        return key

    return checked


def _from_ring(folder: Path, make: Callable[..., rsa.RSAPrivateKey]) -> Callable[..., rsa.RSAPrivateKey]:
    rings: dict[int, Iterator[int]] = {}

    def taken(public_exponent: int, key_size: int, backend: object = None) -> rsa.RSAPrivateKey:
        if (public_exponent, key_size) != (EXPONENT, SIZE):
            return make(public_exponent, key_size, backend)
        process = os.getpid()  # each begins elsewhere, one that was forked too
        ring = rings.setdefault(process, itertools.count(process))
        file = folder / f"{next(ring) % RING}.der"
        if not file.is_file():
            key = make(public_exponent, key_size)
            half = folder / f"half-{process}-{threading.get_ident()}"
            half.write_bytes(
                key.private_bytes(
                    serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
                )
            )
            half.rename(file)
            return key
        found = serialization.load_der_private_key(file.read_bytes(), None, unsafe_skip_rsa_key_validation=True)
        assert isinstance(found, rsa.RSAPrivateKey)
        return found

    return taken
