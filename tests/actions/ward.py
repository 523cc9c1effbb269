"""Owns the ward of the pass doctor: a world whose phones, push service, records and programme can be made to ail."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from tests.phone import Phone
from tests.world import Holder, World
from wallet_server.actions.passes import pass_doctor, refresh
from wallet_server.actions.passes.pass_doctor import Examined
from wallet_server.actions.programme import programs
from wallet_server.errors import Conflict
from wallet_server.records.schema import credential_sets, publications
from wallet_server.sandbox.apns import Answer, ApnsServer
from wallet_server.wallets.apple.push import Alarm, Bell, Credential, Credentials, ring_all
from wallet_server.wallets.port import Report, Stale

NAMES = itertools.count(1)
"""Devices and push tokens are never used twice: what was ordered of the push service stays with its token."""


@dataclass
class Ward:
    """A world whose phones are rung over the wire, through the sandbox's push service."""

    world: World
    apns: ApnsServer
    bell: Bell
    credential: Credential
    vault: Credentials | None = None

    def __post_init__(self) -> None:
        self.world.told.verdict = self._ring

    def _ring(self, stale: Stale) -> Report:
        def alarm(key: int, heard: Alarm) -> None:
            refresh.raise_alarm(self.world.ctx, key, heard.kind, heard.sentence)

        vault = self.vault or (lambda _set: self.credential)
        return next(ring_all(self.bell, vault, [stale], self.world.clock(), alarm))

    def phone(self, holder: Holder, kind: str = "apns") -> Phone:
        """A phone of its own that holds the card."""
        name = next(NAMES)
        phone = Phone(self.world, holder, f"{name:032x}", f"{name:064x}", kind).add()
        self.world.clock.forward(seconds=1)
        return phone

    def held(self, **joining: Any) -> Phone:
        """A new member with the card in a phone."""
        return self.phone(self.world.enrol(**joining))

    def sold(self, phone: Phone, amount_minor: int = 1000, *, pulled: bool = True) -> Phone:
        """A sale that the phone was rung for, and that it fetched."""
        self.world.clock.forward(minutes=1)
        self.world.sell(phone.holder, amount_minor)
        self.world.work()
        if pulled:
            assert phone.pull()
        return phone

    def somebody_is_told(self) -> None:
        """A phone of another member takes a push: so the certificate is good."""
        self.world.clock.forward(hours=1, minutes=1)
        self.sold(self.held())

    def refuse(self, status: int, reason: str, phone: Phone | None = None, **more: Any) -> None:
        """What the push service answers from now on, to this phone or to all."""
        self.apns.tell(Answer(status, reason, **more), phone.token if phone else None)

    @contextmanager
    def books(self) -> Iterator[sa.Connection]:
        """Into the records by hand."""
        with self.world.ctx.change() as tx:
            yield tx

    def alter(self, table: sa.Table, where: Any, **values: Any) -> None:
        """One row, by hand."""
        with self.books() as tx:
            assert tx.execute(sa.update(table).where(where).values(**values)).rowcount == 1

    def papers(self, **values: datetime | None) -> None:
        """The certificate, by hand."""
        self.alter(credential_sets, credential_sets.c.id == self.world.credential_set, **values)

    def unsignable(self, holder: Holder) -> None:
        """What is published of a card, by hand: no version that is published today leads to it."""
        mine = publications.c.pass_id == holder.pass_id
        with self.world.ctx.look() as tx:
            card = tx.execute(sa.select(publications.c.card).where(mine)).scalar_one()
        broken = json.loads(card) | {"organisation": "Chez \ufffe"}
        self.alter(publications, mine, card=json.dumps(broken))

    def publish(self, **changes: Any) -> None:
        """A further version of the programme."""
        world = self.world
        _, document = programs.programme_facts(world.ctx, world.merchant, world.programme)
        programs.publish_version(
            world.ctx, world.merchant, world.programme, {**document, **changes}, world.wish("publish")
        )

    def policy(self, per_day: int = 9, quiet: Any = None) -> None:
        """How often and when the programme announces."""
        with suppress(Conflict):  # it is so already
            self.publish(announce={"per_day": per_day, "per_week": 9, "quiet": quiet})
        self.world.clock.forward(minutes=1)
        self.world.work()


def examined(world: World, holder: Holder) -> Examined:
    """What the pass doctor says of this holder's card."""
    chart = pass_doctor.examine(world.ctx, world.merchant, holder.member)
    assert chart.member == holder.member
    return next(card for card in chart.cards if card.pass_id == holder.pass_public_id)
