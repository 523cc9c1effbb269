"""Owns what is known about founding and teams: one-time links, invitations, roles, and the last owner."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.actions.staff.test_staff_sign_in import HOME, PASSWORD, enter, hire, stored, visit, with_app
from tests.conftest import NewDatabase
from tests.world import World, founded, settings
from wallet_server.actions.context import Context
from wallet_server.actions.counter import pairing
from wallet_server.actions.programme import programs
from wallet_server.actions.staff import CASHIER, MARKETER, OWNER, Person, founding, links, sessions, team
from wallet_server.actions.staff.founding import Founding
from wallet_server.actions.staff.links import Newcomer
from wallet_server.errors import Conflict, Invalid, NotFound, TooMany, Unauthenticated, WalletError
from wallet_server.records import parties
from wallet_server.records.database import open_database
from wallet_server.records.envelope import Keyring
from wallet_server.records.programme import programmes
from wallet_server.records.staff import staff

ZOE = Newcomer("Zoé", "zoe@example.com", "three words apart", "fr")


@pytest.fixture
def world(new_database: NewDatabase, tmp_path: Path) -> Iterator[World]:
    """A merchant, on SQLite."""
    with founded(new_database("sqlite"), tmp_path) as made:
        yield made


pytestmark = pytest.mark.usefixtures("cheap_passwords")


def owner(world: World, email: str = "marie@example.com") -> Person:
    hire(world, email)
    return visit(world, enter(world, email=email)).person


def invited(world: World, person: Person, role: str = CASHIER) -> str:
    """The secret of an invitation."""
    secret = links.new_secret()
    assert team.invite(world.ctx, person, role, "", secret).endswith(f"/invite/{secret}")
    return secret


def joined(world: World, person: Person, role: str, newcomer: Newcomer = ZOE) -> Person:
    entered = links.join(world.ctx, invited(world, person, role), newcomer, "Safari", HOME)
    return visit(world, entered).person


# ---------------------------------------------------------------------- founding


@pytest.fixture
def empty(new_database: NewDatabase, tmp_path: Path, world: World) -> Iterator[Context]:
    """An installation without an account."""
    plain = settings(new_database("sqlite"), tmp_path, base_url="https://shop.example.com")
    ctx = Context(plain, open_database(plain), Keyring.parse(plain.secret_keys or ""), world.clock)
    yield ctx
    ctx.database.close()


def wanted(**more: str) -> Founding:
    fields = {"shop": "Chez Zoé", "store": "", "zone": "Indian/Reunion", **more}
    return Founding(fields["shop"], fields["store"], fields["zone"], ZOE)


def first_secret(ctx: Context) -> str:
    link = founding.first_link(ctx)
    assert link is not None
    assert link.startswith("https://shop.example.com/start/")
    return link.rsplit("/", 1)[1]


def test_the_first_link_founds_a_whole_shop_once(empty: Context) -> None:
    secret = first_secret(empty)
    entered = founding.found(empty, secret, wanted(), "Safari", HOME)
    here = sessions.visit(empty, entered.secret)
    assert here is not None
    person = here.person
    assert (person.role, person.merchant, person.scope.zone) == (OWNER, "Chez Zoé", "Indian/Reunion")
    with empty.look() as tx:
        assert [one.name for one in parties.stores_of(tx, person.scope)] == ["Chez Zoé"]
        (programme,) = programmes.programmes_of(tx, person.scope)
    assert (programme.version_id, programme.issuer_mark) == (0, person.scope.issuer_mark)
    assert founding.first_link(empty) is None
    again = founding.found(empty, secret, wanted(), "Safari", HOME)
    assert again.secret != entered.secret, "a double click signs in"
    assert programs.count_accounts(empty) == 1
    other = Newcomer("Eve", "eve@example.com", "three words apart", "fr")
    with pytest.raises(NotFound):
        founding.found(empty, secret, Founding("Eve", "", "", other), "Safari", HOME)


def test_a_link_that_is_older_or_too_old_founds_nothing(empty: Context, world: World) -> None:
    older, newer = first_secret(empty), first_secret(empty)
    world.clock.forward(hours=23)
    founding.may_found(empty, newer)
    with pytest.raises(NotFound):
        founding.may_found(empty, older)
    world.clock.forward(hours=2)
    with pytest.raises(NotFound):
        founding.found(empty, newer, wanted(), "Safari", HOME)
    with pytest.raises(NotFound):
        founding.found(empty, None, wanted(), "Safari", HOME)
    assert programs.count_accounts(empty) == 0


@pytest.mark.parametrize(
    ("change", "code"),
    [({"shop": "  "}, "bad-name"), ({"zone": "Mars/Olympus"}, "bad-zone"), ({"store": "x" * 201}, "bad-name")],
)
def test_a_faulty_form_leaves_the_link_as_it_was(empty: Context, change: dict[str, str], code: str) -> None:
    secret = first_secret(empty)
    with pytest.raises(Invalid) as refused:
        founding.found(empty, secret, wanted(**change), "Safari", HOME)
    assert refused.value.code == code
    founding.found(empty, secret, wanted(), "Safari", HOME)


def test_anybody_founds_where_that_is_open_but_not_without_end(new_database: NewDatabase, tmp_path: Path) -> None:
    with founded(new_database("sqlite"), tmp_path, sign_up="open") as world:
        assert founding.first_link(world.ctx) is None
        for number in range(founding.MOST_FOUNDED):
            who = Newcomer("Zoé", f"zoe{number}@example.com", "three words apart", "fr")
            founding.found(world.ctx, None, Founding(f"Shop {number}", "", "", who), "Safari", HOME)
        with pytest.raises(TooMany):
            founding.found(world.ctx, None, wanted(), "Safari", HOME)
        founding.found(world.ctx, None, wanted(), "Safari", "81.2.69.99")


# ---------------------------------------------------------------------- invitations


def test_an_invitation_is_for_one_person_and_one_role(world: World) -> None:
    marie = owner(world)
    secret = invited(world, marie, MARKETER)
    assert links.look(world.ctx, secret, links.JOIN).role == MARKETER
    entered = links.join(world.ctx, secret, ZOE, "Safari", HOME)
    zoe = visit(world, entered).person
    assert (zoe.role, zoe.scope.merchant_id, zoe.name) == (MARKETER, marie.scope.merchant_id, "Zoé")
    assert links.join(world.ctx, secret, ZOE, "Safari", HOME), "a double click signs in"
    other = Newcomer("Eve", "eve@example.com", "three words apart", "fr")
    with pytest.raises(NotFound):
        links.join(world.ctx, secret, other, "Safari", HOME)
    assert [one.email for one in team.people(world.ctx, marie)] == ["marie@example.com", "zoe@example.com"]


def test_an_invitation_ends_by_time_and_by_hand_and_does_nothing_else(world: World) -> None:
    marie = owner(world)
    secrets = [invited(world, marie) for _ in range(2)]
    assert len(team.waiting(world.ctx, marie)) == 2
    team.take_back(world.ctx, marie, team.waiting(world.ctx, marie)[0].public_id)
    with pytest.raises(NotFound):
        links.join(world.ctx, secrets[1], ZOE, "Safari", HOME)
    with pytest.raises(NotFound):
        links.choose_password(world.ctx, secrets[0], "three words apart")
    with pytest.raises(NotFound):
        links.enter(world.ctx, secrets[0], "Safari")
    world.clock.forward(days=7, seconds=1)
    with pytest.raises(NotFound):
        links.join(world.ctx, secrets[0], ZOE, "Safari", HOME)
    assert team.waiting(world.ctx, marie) == []


def test_sending_an_invitation_twice_makes_one(world: World) -> None:
    marie, secret = owner(world), links.new_secret()
    assert len({team.invite(world.ctx, marie, CASHIER, "", secret) for _ in range(2)}) == 1
    assert len(team.waiting(world.ctx, marie)) == 1
    with pytest.raises(Invalid):
        team.invite(world.ctx, marie, OWNER, "", secret)
    for weak in ("", "x", "x" * 42, "x" * 42 + "/"):
        with pytest.raises(Invalid):
            team.invite(world.ctx, marie, OWNER, "", weak)


def test_an_address_signs_in_to_one_place(world: World) -> None:
    marie = owner(world)
    taken = Newcomer("Eve", "MARIE@example.com", "three words apart", "fr")
    secret = invited(world, marie)
    with pytest.raises(Conflict) as refused:
        links.join(world.ctx, secret, taken, "Safari", HOME)
    assert refused.value.code == "email-taken"
    links.join(world.ctx, secret, ZOE, "Safari", HOME)


# ---------------------------------------------------------------------- the team


def test_a_role_counts_from_the_next_page_on(world: World) -> None:
    marie = owner(world)
    entered = links.join(world.ctx, invited(world, marie, MARKETER), ZOE, "Safari", HOME)
    zoe = visit(world, entered).person
    assert "announce" in zoe.scope.scopes
    team.give_role(world.ctx, marie, zoe.public_id, CASHIER)
    assert visit(world, entered).person.scope.scopes == {"read-counter"}
    with pytest.raises(Invalid):
        team.give_role(world.ctx, marie, zoe.public_id, "king")


def test_a_disabled_person_is_out_at_once(world: World) -> None:
    marie = owner(world)
    entered = links.join(world.ctx, invited(world, marie), ZOE, "Safari", HOME)
    zoe = visit(world, entered).person
    reset = links.new_secret()
    team.reset_link(world.ctx, marie, zoe.public_id, reset, lost=False)
    team.disable(world.ctx, marie, zoe.public_id)
    assert sessions.visit(world.ctx, entered.secret) is None
    with pytest.raises(Unauthenticated):
        enter(world, ZOE.password, ZOE.email)
    with pytest.raises(NotFound):
        links.choose_password(world.ctx, reset, "other words apart")
    assert [one.state for one in team.people(world.ctx, marie)] == ["active", "disabled"]
    team.enable(world.ctx, marie, zoe.public_id)
    assert sessions.visit(world.ctx, entered.secret) is None
    enter(world, ZOE.password, ZOE.email)


@pytest.mark.parametrize("how", ["disabled", "demoted"])
def test_who_is_an_owner_no_more_comes_back_through_nothing_that_they_made(world: World, how: str) -> None:
    marie, bob = owner(world), owner(world, "bob@example.com")
    hire(world, "eve@example.com", CASHIER)
    eve = next(one.public_id for one in team.people(world.ctx, marie) if one.email == "eve@example.com")
    kept = invited(world, marie, CASHIER)
    back, reset = invited(world, bob, OWNER), links.new_secret()
    team.reset_link(world.ctx, bob, eve, reset, lost=True)
    made = pairing.make_till(world.ctx, bob.scope, pairing.stores(world.ctx, bob.scope)[0][0], "Counter")
    till = pairing.invite(world.ctx, bob.scope, made, bob.staff_id).link.rpartition("#")[2]
    mine = pairing.invite(world.ctx, marie.scope, made, marie.staff_id).link.rpartition("#")[2]
    if how == "disabled":
        team.disable(world.ctx, marie, bob.public_id)
    else:
        team.give_role(world.ctx, marie, bob.public_id, MARKETER)
    with pytest.raises(NotFound):
        links.join(world.ctx, back, ZOE, "Safari", HOME)
    with pytest.raises(NotFound):
        links.choose_password(world.ctx, reset, "other words apart")
    with pytest.raises(NotFound):
        pairing.greet(world.ctx, till)
    second = pairing.invite(world.ctx, bob.scope, made, bob.staff_id).link.rpartition("#")[2]
    with pytest.raises(NotFound):
        pairing.pair(world.ctx, second, "d" * 40, "His own phone")
    late = links.new_secret()  # requests of his that were under way
    team.invite(world.ctx, bob, OWNER, "", late)
    with pytest.raises(NotFound):
        links.join(world.ctx, late, ZOE, "Safari", HOME)
    if how == "disabled":
        team.enable(world.ctx, marie, bob.public_id)
    else:
        team.give_role(world.ctx, marie, bob.public_id, OWNER)
    with pytest.raises(NotFound):
        links.join(world.ctx, back, ZOE, "Safari", HOME)
    with pytest.raises(NotFound):
        pairing.greet(world.ctx, till)
    assert pairing.greet(world.ctx, mine)
    assert links.join(world.ctx, kept, ZOE, "Safari", HOME), "what others made stays"


def test_the_last_owner_stays(world: World) -> None:
    marie = owner(world)
    for act in (
        lambda: team.disable(world.ctx, marie, marie.public_id),
        lambda: team.give_role(world.ctx, marie, marie.public_id, CASHIER),
    ):
        with pytest.raises(Conflict) as refused:
            act()
        assert refused.value.code == "last-owner"
    zoe = joined(world, marie, OWNER)
    team.disable(world.ctx, marie, marie.public_id)
    with pytest.raises(Conflict):
        team.disable(world.ctx, zoe, zoe.public_id)


@pytest.mark.slow
def test_two_owners_who_demote_each_other_leave_one(database_url: str, tmp_path: Path) -> None:
    with founded(database_url, tmp_path) as world:
        marie = owner(world)
        zoe = joined(world, marie, OWNER)
        seen: list[Exception] = []

        def demote_marie() -> None:
            try:
                team.give_role(world.ctx, zoe, marie.public_id, CASHIER)
            except WalletError as fault:
                seen.append(fault)

        other = threading.Thread(target=demote_marie)
        with world.ctx.change() as tx:  # what demotes Zoé, stopped just before its end
            assert len(staff.active_owners(tx, zoe.scope.merchant_id, OWNER)) == 2
            staff.change(tx, zoe.staff_id, {"role": CASHIER})
            other.start()
            time.sleep(0.5)
            assert not seen
        other.join(10)
        assert [one.role for one in team.people(world.ctx, marie)] == [OWNER, CASHIER]
        assert [type(one) for one in seen] == [Conflict]


def test_another_merchants_people_do_not_exist(world: World) -> None:
    marie = owner(world)
    zoe = joined(world, marie, CASHIER)
    elsewhere = programs.found(world.ctx, "Un voisin", programs.NewStore("Centre"))
    secret = team.invite_by_operator(world.ctx, elsewhere.merchant, OWNER).rsplit("/", 1)[1]
    other = Newcomer("Eve", "eve@example.com", "three words apart", "fr")
    eve = visit(world, links.join(world.ctx, secret, other, "Safari", HOME)).person
    invited(world, marie)
    waiting = team.waiting(world.ctx, marie)[0].public_id
    assert [one.name for one in team.people(world.ctx, eve)] == ["Eve"]
    assert team.waiting(world.ctx, eve) == []
    for act in (
        lambda: team.give_role(world.ctx, eve, zoe.public_id, OWNER),
        lambda: team.disable(world.ctx, eve, zoe.public_id),
        lambda: team.enable(world.ctx, eve, zoe.public_id),
        lambda: team.reset_link(world.ctx, eve, zoe.public_id, links.new_secret(), lost=True),
        lambda: team.take_back(world.ctx, eve, waiting),
    ):
        with pytest.raises(NotFound):
            act()


# ---------------------------------------------------------------------- help for who is locked out


def test_a_colleague_chooses_a_new_password_by_a_link(world: World) -> None:
    marie = owner(world)
    entered = links.join(world.ctx, invited(world, marie), ZOE, "Safari", HOME)
    zoe = visit(world, entered).person
    older, newer = links.new_secret(), links.new_secret()
    for secret in (older, newer):
        team.reset_link(world.ctx, marie, zoe.public_id, secret, lost=False)
    with pytest.raises(NotFound):
        links.choose_password(world.ctx, older, "other words apart")
    with pytest.raises(Invalid):
        links.choose_password(world.ctx, newer, "short")
    links.choose_password(world.ctx, newer, "other words apart")
    assert sessions.visit(world.ctx, entered.secret) is None
    enter(world, "other words apart", ZOE.email)
    with pytest.raises(NotFound):
        links.choose_password(world.ctx, newer, "yet other words")
    with pytest.raises(Invalid):
        team.reset_link(world.ctx, marie, marie.public_id, links.new_secret(), lost=False)


def test_the_operator_helps_an_owner_who_lost_everything(world: World) -> None:
    hire(world)
    with_app(world)
    kept = team.reset_by_operator(world.ctx, "Marie@example.com", lost=False).rsplit("/", 1)[1]
    links.choose_password(world.ctx, kept, "other words apart")
    assert enter(world, "other words apart").pending, "the second factor stays"
    lost = team.reset_by_operator(world.ctx, "marie@example.com", lost=True).rsplit("/", 1)[1]
    assert stored(world).secured, "the link alone changes nothing"
    links.choose_password(world.ctx, lost, "yet other words")
    assert not enter(world, "yet other words").pending
    with pytest.raises(NotFound):
        team.reset_by_operator(world.ctx, "nobody@example.com", lost=False)


def test_the_demonstration_link_enters_the_sandbox_once_and_nothing_else(world: World) -> None:
    first, second = (team.demo_link(world.ctx, world.founded.merchant, "Claire", "claire@x.example") for _ in range(2))
    with pytest.raises(NotFound):
        links.enter(world.ctx, first, "Safari")
    assert visit(world, links.enter(world.ctx, second, "Safari")).person.role == OWNER
    with pytest.raises(NotFound):
        links.enter(world.ctx, second, "Safari")
    with pytest.raises(Unauthenticated):
        enter(world, PASSWORD, "claire@x.example")
