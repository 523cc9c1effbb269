"""Owns what is known about the supervisor: a real server process, killed and started again, nobody left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from wallet_server.sandbox import stand
from wallet_server.sandbox.supervisor import Patience, ServerFailed, Supervisor

QUICK = Patience(start_seconds=10, stop_seconds=1, first_pause_seconds=0.05, limit_pause_seconds=0.1, restarts=2)

# Answers 200 and its process id on a port, after starting a child of its own that would outlive it.
SERVER = """
import http.server, os, signal, subprocess, sys
port, manner = int(sys.argv[1]), sys.argv[2]
if manner == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(f"{os.getpid()} {child.pid}".encode())
    def log_message(self, *words): pass
print("serving", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def play(story, tmp_path, port, manner="plain", command=None, **options):
    """Run a story with a supervisor, then see that it leaves nothing behind."""
    states = []

    async def whole():
        supervisor = Supervisor(
            command or [sys.executable, "-c", SERVER, str(port), manner],
            f"http://127.0.0.1:{port}/health",
            tmp_path / "server.log",
            patience=options.pop("patience", QUICK),
            changed=states.append,
            **options,
        )
        try:
            async with asyncio.timeout(30):
                await story(supervisor)
        finally:
            await supervisor.stop()
            await supervisor.stop()

    asyncio.run(whole())
    return states


async def who(port):
    """The process ids of the server that answers now, and of its child."""

    def ask():
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
            return [int(word) for word in answer.read().split()]

    return await asyncio.to_thread(ask)


async def until(condition):
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never happened")


def gone(pid):
    """Whether the process has ended: a zombie whose new parent has not looked yet has."""
    for _ in range(100):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.02)
    return False


def test_start_waits_until_the_server_answers_and_stop_ends_everything(tmp_path, port):
    seen = []

    async def story(supervisor):
        await supervisor.start()
        await supervisor.start()
        seen.extend(await who(port))
        assert supervisor.pid == seen[0]
        assert supervisor.starts == 1

    assert play(story, tmp_path, port)[:3] == ["starting", "running", "stopped"]
    assert all(gone(pid) for pid in seen)
    assert "serving" in (tmp_path / "server.log").read_text()


def test_pulling_the_plug_kills_the_whole_group_and_starts_anew(tmp_path, port):
    async def story(supervisor):
        await supervisor.start()
        before = await who(port)
        await asyncio.gather(supervisor.kill_and_restart(), supervisor.kill_and_restart())
        after = await who(port)
        assert not set(before) & set(after)
        assert all([await asyncio.to_thread(gone, pid) for pid in before])
        assert (supervisor.starts, supervisor.kills) == (3, 2)

    states = play(story, tmp_path, port)
    assert states[:5] == ["starting", "running", "killed", "starting", "running"]


@pytest.mark.slow
def test_a_server_that_ignores_sigterm_is_killed(tmp_path, port):
    seen = []

    async def story(supervisor):
        await supervisor.start()
        seen.extend(await who(port))

    play(story, tmp_path, port, manner="stubborn")
    assert all(gone(pid) for pid in seen)


def test_a_server_that_dies_by_itself_is_started_again_but_not_for_ever(tmp_path, port):
    async def story(supervisor):
        await supervisor.start()
        for starts in (2, 3):
            os.kill((await who(port))[0], signal.SIGKILL)
            await until(lambda starts=starts: (supervisor.starts, supervisor.state) == (starts, "running"))
        pids = await who(port)
        os.kill(pids[0], signal.SIGKILL)
        await until(lambda: supervisor.state == "failed")
        assert all([await asyncio.to_thread(gone, pid) for pid in pids])

    play(story, tmp_path, port)


def test_a_server_that_does_not_come_up_says_why(tmp_path, port):
    async def story(supervisor):
        with pytest.raises(ServerFailed, match=r"(?s)code 3.*no such setting"):
            await supervisor.start()
        assert supervisor.state == "failed"

    command = [sys.executable, "-c", "import sys; print('no such setting'); sys.exit(3)"]
    play(story, tmp_path, port, command=command)


def test_a_server_that_never_answers_is_given_up_and_ended(tmp_path, port):
    async def story(supervisor):
        with pytest.raises(ServerFailed, match="did not answer"):
            await supervisor.start()
        assert supervisor.pid is None

    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    play(story, tmp_path, port, command=command, patience=Patience(start_seconds=0.3))


@pytest.mark.slow
def test_a_slow_start_is_waited_for_and_said_once(tmp_path, port):
    said = []

    async def story(supervisor):
        await supervisor.start()
        assert supervisor.state == "running"
        assert said == ["slow"]

    late = f"import time; time.sleep(0.6)\n{SERVER}"
    command = [sys.executable, "-c", late, str(port), "plain"]
    patience = Patience(start_seconds=20, slow_seconds=0.2, stop_seconds=1)
    play(story, tmp_path, port, command=command, patience=patience, slow=lambda: said.append("slow"))


def test_what_is_shown_of_the_log_is_of_this_start(tmp_path, port):
    (tmp_path / "server.log").write_text("an old misfortune\n")

    async def story(supervisor):
        with pytest.raises(ServerFailed, match="no such setting") as failed:
            await supervisor.start()
        assert "misfortune" not in str(failed.value)

    command = [sys.executable, "-c", "import sys; print('no such setting'); sys.exit(3)"]
    play(story, tmp_path, port, command=command)
    assert (tmp_path / "server.log").read_text().startswith("an old misfortune")


def test_the_environment_is_the_one_given(tmp_path, port):
    async def story(supervisor):
        with pytest.raises(ServerFailed, match="grass is green"):
            await supervisor.start()

    command = [sys.executable, "-c", "import os; print('grass is', os.environ['GRASS']); raise SystemExit(1)"]
    play(story, tmp_path, port, command=command, env={"GRASS": "green"})


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells children only on Linux")
def test_a_killed_sandbox_leaves_no_server_behind(tmp_path, port):
    sandbox = f"""
import asyncio, sys
from pathlib import Path
from wallet_server.sandbox.supervisor import Supervisor
async def main():
    command = [sys.executable, "-c", {SERVER!r}, "{port}", "plain"]
    supervisor = Supervisor(command, "http://127.0.0.1:{port}/", Path({str(tmp_path / "server.log")!r}))
    await supervisor.start()
    print(supervisor.pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", sandbox]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as parent:
        pid, child = int(parent.stdout.readline()), asyncio.run(who(port))[1]
        parent.kill()
    try:
        assert gone(pid)
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_stop_asked_for_while_the_server_starts_ends_it_at_once(tmp_path, port):
    async def story(supervisor):
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(0.3, stop.set)
        assert await stand.started(supervisor, stop) is False
        assert supervisor.pid is None

    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    play(story, tmp_path, port, command=command, patience=Patience(start_seconds=20))
