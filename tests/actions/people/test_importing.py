from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.conftest import whole_module_mostly_on
from tests.world import NOON, World
from wallet_server.actions import keys
from wallet_server.actions.counter import till
from wallet_server.actions.operating import upkeep
from wallet_server.actions.people import imported, importing, leaving, merging
from wallet_server.actions.people import plastic as plastic_cards
from wallet_server.actions.people.importing import File
from wallet_server.actions.programme import programs
from wallet_server.cli import import_cards as command
from wallet_server.errors import Conflict, Invalid, NotFound
from wallet_server.records import parties
from wallet_server.records.people import contacts, members, plastic
from wallet_server.records.programme import programmes
from wallet_server.rules.people.contacts import EMAIL

database_kind = whole_module_mostly_on("sqlite")

HEAD = "N° carte;Prénom;Nom;E-mail;Adresse;Code postal;Ville;Solde\n"
FILE = (
    HEAD
    + """\
3 760123 450017;Claire;Martin;claire.martin@example.com;12 av. de la République;69001;Lyon;120
A-4471;Jean;Dupont;jean.dupnot@example.com;3 bd St Michel;75005;Paris;1 250
0042;Ana;Silva;;8 rue des Lilas;31000;Toulouse;0
;Sans;Numéro;;;;;5
0043;Paul;Petit;not-an-address;;;;7,00
A-4471;Jean;Dupont;;;;;3
x!;Bad;Number;;;;;1
0044;Bad;Points;;;;;1,5
0045;C;Martin;claire.martin@example.com;;;;9
"""
)


def _known(world: World, **said: str) -> tuple[str, str]:
    """A member with a card on the phone, and its code."""
    holder = world.enrol(first_name=said.pop("first_name"))
    with world.ctx.change() as tx:
        programme = members.members_by_id(tx, [holder.member_id])[holder.member_id].programme_id
        for kind, value in said.items():
            contacts.say(tx, programme, holder.member_id, kind, value)
    return holder.member, holder.code


def _file(text: str = FILE, **columns: str) -> File:
    return File("old cards.csv", text.encode(), columns)


def _take(world: World, file: File | None = None) -> tuple[str, dict[str, int]]:
    made = importing.take_over(world.ctx, world.merchant, world.programme, file or _file())
    world.work()
    return made.public_id, imported.report(world.ctx, world.merchant, made.public_id)[1]


def _seen(world: World, number: str) -> till.Holder:
    return till.look_up(world.ctx, world.till, number)


def test_the_command_says_what_of_a_sound_line_is_left_out(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(command, "open_context", lambda: world.ctx)
    monkeypatch.setattr(world.ctx.database, "close", lambda: None)
    file = tmp_path / "old.csv"
    file.write_text("Card;E-mail;Points\n4472;nope@@;10\n", "utf-8")
    said = CliRunner().invoke(command.import_cards, [str(file), "--programme", world.programme, "--look"])
    assert "1  new members" in said.output, said.output
    assert "line 2: left out: bad-email" in said.output


def test_dirty_lines_are_named_and_sound_numbers_work_at_the_till(world: World):
    looked = importing.preview(world.ctx, world.merchant, world.programme, _file())
    import_id, tally = _take(world)

    assert looked.counts["dirty"] == tally["dirty"] == 4
    assert tally["points"] == 120 + 1250 + 0 + 7 + 9
    assert (tally["made"], tally["linked"], tally["doubtful"]) == (4, 0, 1), "a mailbox of two names is for a person"
    dirty = imported.lines(world.ctx, world.merchant, import_id, (plastic.DIRTY,))
    assert [(one.line, one.why) for one in dirty] == [
        (5, "no-number"),
        (7, "twice"),
        (8, "bad-number"),
        (9, "bad-points"),
    ]
    assert "Bad Number" in dirty[2].text
    noted = imported.lines(world.ctx, world.merchant, import_id, (plastic.MADE,))
    assert [one.notes for one in noted if one.notes] == [one.notes for one in looked.noted] == [("bad-email",)]
    assert _seen(world, "3760123450017").balances["points"] == 120
    assert _seen(world, "a 4471").balances["points"] == 1250
    assert _seen(world, "0042").balances["points"] == 0
    assert upkeep.book_faults(world.ctx) == []


def test_who_is_certain_has_both_cards_and_the_doubtful_are_settled_by_a_person(world: World):
    claire, phone = _known(world, first_name="Claire", name="Martin", email="claire.martin@example.com")
    jean, _ = _known(world, first_name="Jean", name="Dupont", email="jean.dupont@example.com")
    ana, ana_phone = _known(
        world, first_name="Anna", name="Silva", address="8, rue des Lilas Toulouse", postcode="31000"
    )
    _known(world, first_name="Petra", name="Petit", email="p@example.com")
    looked = importing.preview(world.ctx, world.merchant, world.programme, _file())
    import_id, tally = _take(world)

    assert (tally["linked"], tally["doubtful"], tally["made"]) == (3, 1, 1)
    assert looked.counts["linked"] == 3
    assert _seen(world, "3760123450017").member == _seen(world, phone).member == claire
    assert _seen(world, "A4471").member == jean, "a typing error in the mailbox, the same name"
    assert _seen(world, "0042").member == ana, "one letter of the name, the same house"
    doubtful = imported.lines(world.ctx, world.merchant, import_id, (plastic.DOUBTFUL,))
    assert [(one.line, [choice[0] for choice in one.candidates]) for one in doubtful] == [(10, [claire])]
    assert _seen(world, "0045").member not in (claire, jean, ana)
    with pytest.raises(Invalid):
        imported.settle(world.ctx, world.merchant, import_id, 10, jean, None)

    facts = imported.settle(world.ctx, world.merchant, import_id, 10, claire, None)

    assert facts["member"] == _seen(world, "0045").member == claire
    assert _seen(world, phone).balances["points"] == 129
    with pytest.raises(Conflict):
        imported.settle(world.ctx, world.merchant, import_id, 10, None, None)
    assert upkeep.book_faults(world.ctx) == []
    world.work()
    assert _seen(world, ana_phone).balances["points"] == 0


def test_the_same_file_again_changes_nothing_and_a_known_number_stays_whose_it_is(world: World):
    first, tally = _take(world)
    again, same = _take(world)
    other, second = _take(world, _file(HEAD + "0042;Eve;Else;;;;;500\n"))

    assert (again, same) == (first, tally)
    assert (other != first, second["known"], second["points"]) == (True, 1, 0)
    assert _seen(world, "0042").balances["points"] == 0


def test_columns_may_be_named_and_what_does_not_fit_is_said(world: World):
    text = "ref;alt\n0099;17\n"
    with pytest.raises(Invalid) as unknown:
        _take(world, _file(text))
    _take(world, _file(text, number="ref", points="alt"))

    assert unknown.value.code == "unknown-column"
    assert _seen(world, "0099").balances["points"] == 17
    with pytest.raises(Invalid):
        importing.preview(world.ctx, world.merchant, world.programme, _file(text, number="nothing"))


def test_another_account_neither_sees_nor_settles_it(world: World):
    import_id, _ = _take(world)
    other = programs.found(world.ctx, "Stranger", programs.NewStore("Shop"))
    stranger = keys.authenticate(world.ctx, other.merchant_key)
    with pytest.raises(NotFound):
        imported.report(world.ctx, stranger, import_id)
    with pytest.raises(Invalid):
        till.look_up(world.ctx, keys.authenticate(world.ctx, other.till_key), "0042")


def test_another_merchant_of_the_programme_neither_sees_nor_settles_it(world: World):
    import_id, tally = _take(world)
    with world.ctx.change() as tx:
        florist = parties.add_merchant(tx, "mer_florist", world.merchant.account_id, "Fleuriste", world.clock.at)
        programmes.join_programme(tx, programmes.programme_in(tx, world.merchant, world.programme).id, florist, NOON)
    other = replace(world.merchant, merchant_id=florist)
    for asked in (
        lambda: imported.report(world.ctx, other, import_id),
        lambda: imported.lines(world.ctx, other, import_id, plastic.STATES),
        lambda: imported.settle(world.ctx, other, import_id, 10, None, None),
    ):
        with pytest.raises(NotFound):
            asked()

    again = importing.take_over(world.ctx, other, world.programme, _file())
    world.work()
    mine = imported.report(world.ctx, other, again.public_id)[1]
    assert again.public_id != import_id, "the same file is another merchant's own"
    assert (mine["known"], mine["points"]) == (tally["made"] + tally["doubtful"], 0)


def test_a_number_that_was_linked_at_the_counter_first_brings_its_points_once(world: World):
    holder, gone = world.enrol(), world.enrol()
    for card, number in ((holder, "A 4471"), (holder, "0042"), (gone, "0043")):
        wish = world.wish("plastic", {"number": number})
        plastic_cards.link(world.ctx, world.till, card.code, number, wish)
    leaving.leave(world.ctx, world.merchant, gone.member)
    looked = importing.preview(world.ctx, world.merchant, world.programme, _file())
    import_id, tally = _take(world)

    assert (looked.counts["linked"], looked.counts["known"]) == (tally["linked"], tally["known"]) == (2, 1)
    assert tally["points"] == looked.counts["points"] == 120 + 1250 + 0 + 9
    assert _seen(world, "A4471").member == _seen(world, "0042").member == holder.member
    assert _seen(world, holder.code).balances["points"] == 1250
    linked = imported.lines(world.ctx, world.merchant, import_id, (plastic.LINKED,))
    assert {one.member for one in linked} == {holder.member}
    _, second = _take(world, _file(HEAD + "A4471;Jean;Dupont;;;;;1250\n0042;Ana;Silva;;;;;7\n"))
    assert (second["known"], second["points"]) == (2, 0)
    assert _seen(world, holder.code).balances["points"] == 1250
    assert upkeep.book_faults(world.ctx) == []


def test_lines_of_one_slice_and_of_many_find_each_other(world: World, monkeypatch: pytest.MonkeyPatch):
    people = [f"70{n:02};Lea;Roux{n % 3};lea{n % 3}@example.com;;;;{n}" for n in range(9)]
    _, tally = _take(world, _file(HEAD + "\n".join(people)))
    monkeypatch.setattr(importing, "SLICE", 2)
    _, other = _take(world, _file(HEAD + "\n".join(one.replace("70", "71", 1) for one in people)))

    assert (tally["made"], tally["linked"]) == (3, 6)
    assert other["linked"] == 9, "however many lines are worked together"
    assert [_seen(world, f"700{n}").balances["points"] for n in range(3)] == [2 * (n + n + 3 + n + 6) for n in range(3)]
    assert upkeep.book_faults(world.ctx) == []


def test_what_the_file_said_goes_with_the_member_and_with_time(world: World):
    claire, _ = _known(world, first_name="Claire", name="Martin", email="claire.martin@example.com")
    import_id, _ = _take(world)
    leaving.leave(world.ctx, world.merchant, claire)
    gone = imported.lines(world.ctx, world.merchant, import_id, (plastic.LINKED,))
    assert [one.number for one in gone] == [None]

    with world.ctx.change() as tx:
        plastic.forget(tx, world.clock.forward(days=91))
    kept = imported.lines(world.ctx, world.merchant, import_id, (plastic.DIRTY, plastic.DOUBTFUL))
    assert {(one.text, one.person.email) for one in kept} == {("", None)}


def test_a_merged_card_of_plastic_keeps_its_own_points(world: World):
    holder = world.enrol()
    world.sell(holder, 300)
    _take(world)
    number = _seen(world, "A4471")
    wish = world.wish("merge")
    merging.by_staff(world.ctx, world.merchant, holder.member, number.member, merging.PLASTIC, None, wish)

    assert _seen(world, "A4471").balances == _seen(world, holder.code).balances
    assert _seen(world, "A4471").balances["points"] == 1253
    with world.ctx.look() as tx:
        assert contacts.owner(tx, 1, EMAIL, "jean.dupnot@example.com") is None
