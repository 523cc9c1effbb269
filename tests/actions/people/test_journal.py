"""Looking members up: what finds one, what a page of history says, and whose members nobody else sees."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from tests.phone import Phone
from tests.world import World
from wallet_server.actions import overview
from wallet_server.actions.counter import till
from wallet_server.actions.passes import pass_doctor
from wallet_server.actions.people import enrol, journal
from wallet_server.errors import NotFound
from wallet_server.records.schema import codes
from wallet_server.rules import sentences


def _ids(found: journal.Found) -> list[str]:
    return [entry.member.public_id for entry in found.entries]


def test_by_address_by_card_by_id_and_the_newest(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "PAGE", 2)
    first, second, third = world.enrol(email="Marie@Example.com "), world.enrol(), world.enrol()
    world.sell(first, 1200)
    ctx, scope = world.ctx, world.merchant
    assert _ids(journal.search(ctx, scope, " marie@example.COM")) == [first.member]
    assert _ids(journal.search(ctx, scope, second.code.lower())) == [second.member]
    assert _ids(journal.search(ctx, scope, third.member)) == [third.member]
    for nothing in ("nobody@example.com", "mem_0", "L1.nonsense", "%", "x" * 400):
        assert _ids(journal.search(ctx, scope, nothing)) == []
    page = journal.search(ctx, scope, "")
    assert (_ids(page), page.total) == ([third.member, second.member], 3)
    rest = journal.search(ctx, scope, "", page.more)
    assert (_ids(rest), rest.more) == ([first.member], None)
    # Nobody counts them all but who looks at all of them: it takes as long as there are many.
    assert [journal.search(ctx, scope, *asked).total for asked in ((third.member,), ("", page.more))] == [None, None]
    (entry,) = rest.entries
    assert (entry.email, entry.balances["points"], entry.last_visit) == ("marie@example.com", 12, world.clock())
    assert entry.card == end_of_code(first.code)


def test_a_code_that_does_not_open_leaves_a_card_without_a_name_and_closes_no_page(world: World) -> None:
    """Whoever looks for the reason needs these pages."""
    lost, other = world.enrol(), world.enrol()
    for holder in (lost, other):
        world.sell(holder, 1200)
    with world.ctx.change() as tx:
        mine = sa.update(codes).where(codes.c.pass_id == lost.pass_id).values(cipher="v1.gone.AAAA")
        assert tx.execute(mine).rowcount == 1
    named = {one.member.public_id: one.card for one in journal.search(world.ctx, world.merchant, "").entries}
    assert named == {lost.member: "", other.member: end_of_code(other.code)}
    guests = {one.visit.member_id: one.card for one in overview.today(world.ctx, world.merchant).guests}
    assert guests == {lost.member_id: "", other.member_id: end_of_code(other.code)}
    assert journal.portrait(world.ctx, world.merchant, lost.member).balances["points"] == 12
    chart = pass_doctor.examine(world.ctx, world.merchant, lost.member)
    assert chart.cards[0].diagnoses[0].code == "secrets-unopened"


def end_of_code(code: str) -> str:
    """The last four characters of a code's reference."""
    return code.split(".")[3][-4:]


def test_a_portrait_with_its_history_page_by_page(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "LINES", 3)
    holder = world.enrol(email="a@example.com")
    phone = Phone(world, holder).add()
    sale = world.sell(holder, 2000, receipt="R-7")
    world.work()
    world.clock.forward(minutes=5)
    till.reverse_sale(world.ctx, world.till, sale["id"], None)
    world.sell(holder, 3000)
    world.work()
    enrol.set_consent(world.ctx, world.merchant, holder.member, True, "counter", world.wish("c"))
    shown = journal.portrait(world.ctx, world.merchant, holder.member)
    assert (shown.email, shown.balances["points"], shown.home) == ("a@example.com", 30, "Centre")
    assert [(line.granted, line.source) for line in shown.consents] == [(True, "counter"), (False, "join-page")]
    ((card, name),) = shown.cards
    assert (name, card.behind, len(card.phones)) == (end_of_code(holder.code), True, 1)
    assert phone.pull()
    ((card, _),) = journal.portrait(world.ctx, world.merchant, holder.member).cards
    assert (card.behind, card.seen_at) == (False, world.clock())
    lines: list[journal.Told] = []
    before = None
    for _ in range(9):
        page = journal.portrait(world.ctx, world.merchant, holder.member, before)
        lines += page.history
        if (before := page.more) is None:
            break
    assert len({told.line.id for told in lines}) == len(lines) == 6
    amounts = [told.line.amount for told in lines if told.line.currency == "points"]
    assert amounts == [30, -20, 20]
    back, given = [told.line for told in lines if told.line.currency == "points"][1:]
    assert (back.reverses, given.reversed_by) == (given.public_id, back.public_id)
    assert (given.store, given.receipt, given.sale_minor, given.own) == ("Centre", "R-7", 2000, True)
    assert sentences.reason_sentence(given.reason, given.params, "en", lines[-1].programme) == (
        "Purchase of €20.00, receipt R-7."
    )


def test_a_strangers_member_does_not_exist(world: World) -> None:
    holder = world.enrol(email="a@example.com")
    stranger = replace(world.merchant, merchant_id=10**6)
    with pytest.raises(NotFound):
        journal.portrait(world.ctx, stranger, holder.member)
    for asked in ("", "a@example.com", holder.code, holder.member):
        found = journal.search(world.ctx, stranger, asked)
        assert (found.entries, found.total or 0) == ((), 0)
