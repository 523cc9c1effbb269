"""Owns the tills: a process of their own that sends baskets over HTTP, so that measuring them disturbs nothing else.

Each till is a thread with one connection. Baskets are begun in order of time; a household's next basket is sent when
its last one was answered. A till that gets no answer sends the same sale again, under the same receipt number.
"""

from __future__ import annotations

import http.client
import json
import multiprocessing
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.queues import Queue
from typing import Any
from urllib.parse import urlsplit

ANSWER_SECONDS = 30.0
MOST_TRIES = 400
LONGEST_PAUSE_SECONDS = 0.5
ORDER_SECONDS = 120.0


@dataclass(frozen=True)
class Errand:
    """A sale to send: the JSON body, whose it is, and which of the household's sales it is."""

    household: int
    turn: int
    body: bytes


@dataclass(frozen=True)
class Answered:
    """How a sale went. Times are monotonic seconds, which all processes of a machine share. `points` is what the
    answer says the member has now, `earned` what this sale gave; `fault` says what went wrong, or is empty."""

    household: int
    begun_at: float
    answered_at: float
    points: int
    earned: int
    tries: int
    fault: str = ""


class _Order:
    """Hands out errands in order, spaced if asked, and keeps a household's sales one behind the other."""

    def __init__(self, errands: Sequence[Errand], per_second: float | None) -> None:
        self._errands = iter(errands)
        self._pause = 1 / per_second if per_second else 0.0
        self._due = time.monotonic()
        self._lock = threading.Lock()
        self._done = threading.Condition()
        self._turns: dict[int, int] = {}
        for errand in errands:
            self._turns[errand.household] = min(errand.turn, self._turns.get(errand.household, errand.turn))

    def next(self) -> Errand | None:
        with self._lock:
            errand = next(self._errands, None)
            if errand is None:
                return None
            if self._pause:
                time.sleep(max(0.0, self._due - time.monotonic()))
                self._due += self._pause
        with self._done:
            mine = self._done.wait_for(lambda: self._turns[errand.household] == errand.turn, ORDER_SECONDS)
        if not mine:
            raise TimeoutError(f"the sale before this one of household {errand.household} was never answered")
        return errand

    def done(self, errand: Errand) -> None:
        with self._done:
            self._turns[errand.household] += 1
            self._done.notify_all()


class _Till:
    def __init__(self, base: str, key: str) -> None:
        parts = urlsplit(base)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=ANSWER_SECONDS)
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def sell(self, errand: Errand) -> Answered:
        begun = time.monotonic()
        fault = ""
        for number in range(1, MOST_TRIES + 1):
            try:
                self._connection.request("POST", "/v1/sales", errand.body, self._headers)
                answer = self._connection.getresponse()
                body = json.loads(answer.read())
            except (OSError, http.client.HTTPException, ValueError) as cut:
                self._connection.close()
                fault = repr(cut)
            else:
                if answer.status == 200:
                    return _counted(errand, begun, body, number)
                fault = f"{answer.status} {body}"
                if answer.status not in (429, 503):
                    break
            time.sleep(min(0.05 * number, LONGEST_PAUSE_SECONDS))
        return Answered(errand.household, begun, time.monotonic(), 0, 0, number, fault)


def _counted(errand: Errand, begun: float, body: dict[str, Any], tries: int) -> Answered:
    earned = sum(entry["amount"] for entry in body["entries"] if entry["currency"] == "points")
    return Answered(errand.household, begun, time.monotonic(), body["balances"]["points"], earned, tries)


def _work(order: _Order, till: _Till, answers: Queue[Answered | str]) -> None:
    try:
        while (errand := order.next()) is not None:
            answers.put(till.sell(errand))
            order.done(errand)
    except Exception as fault:  # noqa: BLE001 - whatever it was, the process that waits for answers must hear of it
        answers.put(repr(fault))


def _open_shop(
    base: str, keys: Sequence[str], errands: Sequence[Errand], per_second: float | None, answers: Queue[Answered | str]
) -> None:
    order = _Order(errands, per_second)
    threads = [threading.Thread(target=_work, args=(order, _Till(base, key), answers)) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@contextmanager
def shop(
    base: str, keys: Sequence[str], errands: Sequence[Errand], per_second: float | None = None
) -> Iterator[Iterator[Answered]]:
    """One till for each key at work in a process of their own; gives their answers as they come.

    `per_second` spaces the sales, all tills together; None sends as fast as the answers come. Raises RuntimeError
    when a till fell over or none answers for a long time.
    """
    spawn = multiprocessing.get_context("spawn")
    answers: Queue[Answered | str] = spawn.Queue()
    process = spawn.Process(target=_open_shop, args=(base, keys, errands, per_second, answers), daemon=True)
    process.start()
    try:
        yield _answers(answers, len(errands))
    finally:
        process.join(5)
        if process.is_alive():
            process.terminate()
            process.join(10)


def _answers(answers: Queue[Answered | str], count: int) -> Iterator[Answered]:
    for _ in range(count):
        got = answers.get(timeout=ORDER_SECONDS * 2)
        if isinstance(got, str):
            raise RuntimeError(f"a till fell over: {got}")
        yield got
