"""The five minutes with curl in the README, run as they stand there: every block, in order, against a real sandbox."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.stories.running import clean, free_pair

README = Path(__file__).resolve().parents[2] / "README.md"
PATIENCE_SECONDS = 240

pytestmark = [pytest.mark.story, pytest.mark.slow]


def blocks() -> list[str]:
    tour = README.read_text("utf-8").split("\n## Five minutes with curl\n")[1].split("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)^```", tour, re.MULTILINE | re.DOTALL)


@pytest.mark.skipif(shutil.which("curl") is None, reason="THE TOUR OF THE README DID NOT RUN: no curl here")
def test_the_tour_works_when_pasted(tmp_path: Path) -> None:
    (tmp_path / ".venv").symlink_to(sys.prefix)
    script = tmp_path / "tour.sh"
    script.write_text("set -euo pipefail\n" + "\n".join(blocks()), "utf-8")
    process = subprocess.Popen(
        ["bash", str(script)],
        cwd=tmp_path,
        env=clean() | {"PORT": str(free_pair())},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    finally:
        end(process)
    assert process.returncode == 0, said[-3000:]
    left = sorted(one.name for one in tmp_path.iterdir())
    assert left == [".venv", "tour.sh"], "keys and data of the tour are nowhere in the checkout"
    promised = re.findall(r"^# → (.+)$", "\n".join(blocks()), re.MULTILINE)
    assert len(promised) >= 15
    place = 0
    for sentence in promised:
        assert sentence in said[place:], f"“{sentence}” was not said, or not in its place:\n{said[place:][:2000]}"
        place = said.index(sentence, place) + len(sentence)


def end(process: subprocess.Popen[str]) -> None:
    """The sandbox runs in the background of the script, in its process group."""
    try:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)
        for _ in range(400):
            os.killpg(process.pid, 0)
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
