"""Owns the nursery: a process that has loaded every command, and forks one whenever `tests/launching.py` asks for it.

`python -m tests.nursery FD`: FD is its end of the socket. It ends when the other end is closed.
"""

from __future__ import annotations

import gc
import json
import os
import random
import select
import signal
import socket
import sys
from contextlib import suppress

from tests import rsa_keys
from tests.launching import MOST_BYTES
from wallet_server import cli
from wallet_server.cli import serving

SERVER_PROCESS = serving.serving
"""What the server processes run, loaded here like everything else."""


def _tend(door: socket.socket) -> list[str] | None:
    """Fork whenever asked to, and tell how the children end: the words of the command in a child, None at the end."""
    waiting: dict[int, int] = {}
    rung, bell = os.pipe()
    os.set_blocking(bell, False)
    signal.set_wakeup_fd(bell, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        ready, _, _ = select.select([door, rung], [], [])
        if rung in ready:
            os.read(rung, 1000)
            _bury(waiting)
        if door not in ready:
            continue
        asked, handed, _, _ = socket.recv_fds(door, MOST_BYTES, 3)
        if not asked:
            return None
        child = os.fork()
        if child == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return _become(json.loads(asked), handed)
        out, errors, news = handed
        os.close(out)
        os.close(errors)
        waiting[child] = news
        os.write(news, b"%d\n" % child)


def _bury(waiting: dict[int, int]) -> None:
    while waiting:
        child, status = os.waitpid(-1, os.WNOHANG)
        if not child:
            return
        news = waiting.pop(child)
        with suppress(BrokenPipeError):  # nobody may wait for it any more
            os.write(news, b"%d\n" % status)
        os.close(news)


def _become(asked: dict[str, object], handed: list[int]) -> list[str]:
    """In the child: take the place, the variables and the outputs of the command."""
    os.setsid()
    os.dup2(handed[0], 1)
    os.dup2(handed[1], 2)
    os.closerange(3, 4096)
    os.environ.clear()
    os.environ.update(asked["env"])  # type: ignore[arg-type]
    os.chdir(str(asked["cwd"]))
    random.seed()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    return [str(word) for word in asked["words"]]  # type: ignore[attr-defined]


def main() -> None:
    """Load, then tend; in a child, be the command."""
    rsa_keys.shared()
    for place, _ in cli.COMMANDS.values():
        if place != cli.GROUP:
            cli.load(place)
    for place in cli.PARTS.values():
        cli.load(place)
    gc.freeze()  # so that a child does not copy what it only collects
    door = socket.socket(fileno=int(sys.argv[1]))
    words = _tend(door)
    if words is None:
        door.close()
        return
    door.detach()
    sys.argv = ["wallet-server", *words]
    cli.main(words, prog_name="wallet-server")


if __name__ == "__main__":
    main()
