"""Owns what is known about signing in: passwords, second factors, waiting after failures, sessions."""

from __future__ import annotations

import datetime as dt
import re
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyotp
import pytest
import structlog
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from tests.conftest import NewDatabase
from tests.world import World, founded
from wallet_server.actions.context import new_id
from wallet_server.actions.staff import (
    OWNER,
    account,
    attempts,
    browsers,
    links,
    passwords,
    second_factor,
    sessions,
    sign_in,
    team,
)
from wallet_server.actions.staff.sessions import Entered, Visit
from wallet_server.actions.vendors import credentials
from wallet_server.errors import Conflict, Invalid, NotFound, TooMany, Unauthenticated
from wallet_server.records.envelope import Keyring, new_key_line
from wallet_server.records.staff import staff, waits

PASSWORD = "correct horse 77"
OLD_WAY = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
HASH = OLD_WAY.hash(PASSWORD)  # cheap, so that the tests are quick; signing in makes it a costly one
HOME, ELSEWHERE = "81.2.69.142", "81.2.69.143"


@pytest.fixture
def world(new_database: NewDatabase, tmp_path: Path) -> Iterator[World]:
    """A merchant with its books on SQLite; what PostgreSQL does otherwise has tests of its own."""
    with founded(new_database("sqlite"), tmp_path) as made:
        yield made


pytestmark = pytest.mark.usefixtures("cheap_passwords")


def hire(world: World, email: str = "marie@example.com", role: str = OWNER, password_hash: str | None = HASH) -> str:
    """A person of the merchant; the public id."""
    scope, public_id = world.merchant, new_id("stf")
    values = {"public_id": public_id, "account_id": scope.account_id, "merchant_id": scope.merchant_id, "role": role}
    values |= {"email": email, "name": "Marie", "language": "fr", "password_hash": password_hash}
    with world.ctx.change() as tx:
        staff.add(tx, {**values, "created_at": world.clock()})
    return public_id


def enter(world: World, password: str = PASSWORD, email: str = "marie@example.com", **more: bool) -> Entered:
    return sign_in.with_password(world.ctx, email, password, "Firefox", HOME, remember=more.get("remember", False))


def visit(world: World, entered: Entered) -> Visit:
    found = sessions.visit(world.ctx, entered.secret)
    assert found is not None
    return found


def stored(world: World, email: str = "marie@example.com") -> staff.StaffRow:
    with world.ctx.look() as tx:
        row = staff.by_email(tx, email)
    assert row is not None
    return row


def fail(world: World, times: int, email: str = "marie@example.com", address: str = HOME, known: str = "") -> None:
    for _ in range(times):
        with pytest.raises(Unauthenticated) as refused:
            tried(world, "not the password", email, address, known)
        assert refused.value.code == "wrong-sign-in"


def tried(world: World, password: str, email: str, address: str, known: str = "") -> Entered:
    return sign_in.with_password(world.ctx, email, password, "Firefox", address, remember=False, known=known)


def locks(world: World, email: str = "marie@example.com") -> dict[str, dt.datetime]:
    """Where somebody waits, until when: `from`, `known`, `second`, `everywhere`, `signed-in`."""
    row = stored(world, email)
    with world.ctx.look() as tx:
        return {place.partition(":")[0]: at for place, at in waits.locked_at(tx, row.id, world.clock()).items()}


def network(number: int) -> str:
    """An address of the internet, each in a network of its own."""
    return f"81.2.{number // 250}.{number % 250 + 1}"


def with_app(world: World) -> tuple[Visit, pyotp.TOTP, tuple[str, ...]]:
    """Somebody signed in who has an authenticator app, and the backup codes."""
    here = visit(world, enter(world))
    second_factor.start(world.ctx, here.person)
    setup = second_factor.setup(world.ctx, here.person)
    assert setup is not None
    totp = pyotp.TOTP(setup.secret)
    codes = second_factor.confirm(world.ctx, here.person, totp.at(world.clock()))
    world.clock.forward(minutes=2)
    return here, totp, codes


# ---------------------------------------------------------------------- passwords


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("short", "short-password"),
        ("x" * 201, "short-password"),
        ("aaaaaaaaaaaaa", "common-password"),
        ("1029384756102", "common-password"),
        ("Password1234!", "common-password"),
        ("AZERTYUIOP", "common-password"),
        ("motdepasse2024", "common-password"),
        ("je suis marie.durand", "own-password"),
        ("marie.durand@example.com", "own-password"),
    ],
)
def test_what_others_would_guess_is_refused(password: str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        passwords.check(password, "marie.durand@example.com")
    assert refused.value.code == code
    passwords.check("three words apart", "marie.durand@example.com")


def test_an_old_hash_is_made_anew_at_the_next_sign_in(world: World) -> None:
    hire(world)
    enter(world)
    assert stored(world).password_hash != HASH
    assert not passwords.outdated(stored(world).password_hash or "")
    enter(world)


def test_nobodys_hash_costs_what_a_real_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    parameters = re.match(r"\$argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$", passwords.hashed(PASSWORD))
    assert parameters
    assert passwords._NOBODY.startswith(parameters.group())
    with pytest.raises(VerifyMismatchError):
        PasswordHasher().verify(passwords._NOBODY, "x")


def test_an_accent_is_the_same_however_it_is_typed() -> None:
    assert passwords.matches(passwords.hashed("crème brûlée"), "cre\u0300me bru\u0302le\u0301e")


@pytest.mark.slow
def test_a_stranger_waits_as_long_as_who_mistypes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    hire(world, password_hash=passwords.hashed(PASSWORD))
    took = {"marie@example.com": [], "nobody@example.com": []}
    for _ in range(3):
        for email, times in took.items():
            begun = time.process_time()
            fail(world, 1, email)
            times.append(time.process_time() - begun)
    known, unknown = (min(times) for times in took.values())
    assert 0.5 < known / unknown < 2


# ---------------------------------------------------------------------- waiting


def test_failures_in_a_row_make_one_wait_longer_and_longer(world: World) -> None:
    hire(world)
    fail(world, attempts.NEAR.free - 1)
    enter(world)  # begins anew
    fail(world, attempts.NEAR.free)
    waited = []
    for _ in range(9):
        until = locks(world)["from"]
        waited.append((until - world.clock()).total_seconds())
        fail(world, 1)  # while one waits, nothing is counted
        with pytest.raises(Unauthenticated):
            enter(world)
        world.clock.at = until
        fail(world, 1)
    assert waited == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    world.clock.forward(hours=1)
    enter(world)
    fail(world, attempts.NEAR.free - 1)
    enter(world)


def test_a_stranger_who_knows_an_address_keeps_nobody_out(world: World) -> None:
    hire(world)
    known = browsers.keep(world.ctx, "", enter(world).secret)
    for number in range(4):
        for _ in range(attempts.NEAR.free + 3):  # the last three while one waits already
            with pytest.raises(Unauthenticated):
                tried(world, "not the password", "marie@example.com", network(number))
        with pytest.raises(Unauthenticated):
            tried(world, PASSWORD, "marie@example.com", network(number))
    assert tried(world, PASSWORD, "marie@example.com", network(9)), "another network knows nothing of it"
    assert tried(world, PASSWORD, "marie@example.com", network(0), known), "nor does a browser of hers, in the same one"


@pytest.mark.slow
def test_guesses_from_everywhere_are_few_and_stop_no_browser_of_the_person(world: World) -> None:
    hire(world)
    known = browsers.keep(world.ctx, "", enter(world).secret)
    for number in range(attempts.FAR.free // 4):
        fail(world, 4, address=network(number))
    with pytest.raises(Unauthenticated):
        tried(world, PASSWORD, "marie@example.com", network(200))
    assert (locks(world)["everywhere"] - world.clock()) == dt.timedelta(hours=1)
    assert tried(world, PASSWORD, "marie@example.com", network(200), known)
    assert locks(world).keys() == {"everywhere"}, "and the strangers are no freer for it"
    looked = 0
    for number in range(48):  # two days of many networks: one guess an hour is looked at
        world.clock.forward(minutes=60, seconds=1)
        for more in range(3):
            begun = attempts.begin(world.ctx, stored(world), network(300 + 3 * number + more), "password")
            looked += not begun.held
    assert looked == 48


def test_many_guesses_at_once_count_like_one_after_another(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    hire(world)
    looked: list[bool] = []
    held = threading.Barrier(20)
    begin = attempts.begin

    def together(*given: Any, **more: Any) -> attempts.Try:
        held.wait(20)
        one = begin(*given, **more)
        looked.append(not one.held)
        return one

    monkeypatch.setattr(attempts, "begin", together)
    guesses = [threading.Thread(target=lambda: fail(world, 1)) for _ in range(20)]
    for one in guesses:
        one.start()
    for one in guesses:
        one.join(60)
    assert (sum(looked), len(looked)) == (attempts.NEAR.free, 20)


def test_a_browser_of_the_person_is_known_by_nothing_but_its_sign_in(world: World) -> None:
    hire(world)
    hire(world, "zoe@example.com")
    known = browsers.keep(world.ctx, "", enter(world).secret)
    both = browsers.keep(world.ctx, known, enter(world, email="zoe@example.com").secret)
    marie, zoe = stored(world), stored(world, "zoe@example.com")
    ours = browsers.number(world.ctx, both, marie)
    assert ours
    assert browsers.number(world.ctx, both, zoe) not in (None, ours)
    assert browsers.number(world.ctx, browsers.keep(world.ctx, both, enter(world).secret), marie) == ours
    for forged in ("", "~~", known.replace(marie.public_id, zoe.public_id), known[:-1] + "~", "x" * 5000):
        assert browsers.number(world.ctx, forged, zoe) is None
    fail(world, attempts.NEAR.free, known=known)
    with pytest.raises(Unauthenticated):
        tried(world, PASSWORD, "marie@example.com", ELSEWHERE, known)
    enter(world)  # who finds the browser guesses no better than others, and holds up nobody else
    world.clock.forward(days=181)
    assert browsers.number(world.ctx, known, marie) is None
    fresh = browsers.keep(world.ctx, "", enter(world).secret)
    here = visit(world, enter(world))
    sign_in.change_password(world.ctx, here, PASSWORD, "another word 9", HOME)
    assert browsers.number(world.ctx, fresh, stored(world)) is None, "with the password it is worth nothing"


def test_what_strangers_fail_at_outside_does_not_count_inside(world: World) -> None:
    hire(world)
    here = visit(world, enter(world))
    fail(world, attempts.NEAR.free)
    account.confirm(world.ctx, here.person, PASSWORD, HOME)
    for _ in range(attempts.NEAR.free):
        with pytest.raises(Invalid):
            account.confirm(world.ctx, here.person, "not the password", HOME)
    with pytest.raises(Invalid):
        account.confirm(world.ctx, here.person, PASSWORD, HOME)


def test_an_address_with_many_failures_waits_for_the_hour_to_end(world: World) -> None:
    hire(world)
    for number in range(attempts.FROM_ADDRESS):
        fail(world, 1, f"nobody-{number}@example.com")
    with pytest.raises(TooMany) as refused:
        enter(world)
    sign_in.with_password(world.ctx, "marie@example.com", PASSWORD, "Firefox", ELSEWHERE, remember=False)
    world.clock.forward(seconds=refused.value.retry_after_seconds)
    enter(world)


def test_a_network_of_ipv6_is_one_and_a_proxys_address_is_nobodys(world: World) -> None:
    hire(world)
    for number in range(attempts.FROM_ADDRESS):
        fail(world, 1, f"nobody-{number}@example.com", f"2a01:cb00:1:1::{number:x}")
        fail(world, 1, f"nobody-{number}@example.com", "172.17.0.1")
    with pytest.raises(TooMany):
        tried(world, PASSWORD, "marie@example.com", "2a01:cb00:1:1:ffff::1")
    assert tried(world, PASSWORD, "marie@example.com", "2a01:cb00:1:2::1")
    fail(world, 20, address="172.17.0.1")
    assert tried(world, PASSWORD, "marie@example.com", "172.17.0.1"), "a wrong setting does not close the door"


# ---------------------------------------------------------------------- the second factor


def test_a_code_lets_in_once_and_gives_a_new_session(world: World) -> None:
    hire(world)
    _, totp, _ = with_app(world)
    waiting = enter(world)
    assert waiting.pending
    pending = visit(world, waiting)
    assert pending.pending
    code = totp.at(world.clock())
    entered = sign_in.with_code(world.ctx, pending, f"{code[:3]} {code[3:]}", "Firefox", HOME)
    assert entered.secret != waiting.secret
    assert sessions.visit(world.ctx, waiting.secret) is None
    assert not visit(world, entered).pending
    again = visit(world, enter(world))
    with pytest.raises(Unauthenticated):
        sign_in.with_code(world.ctx, again, code, "Firefox", HOME)
    late = totp.at(world.clock.forward(seconds=30))
    world.clock.forward(seconds=30)
    sign_in.with_code(world.ctx, again, late, "Firefox", HOME)


def test_guessing_codes_is_counted_although_the_password_is_right(world: World) -> None:
    hire(world)
    _, totp, _ = with_app(world)
    known = browsers.keep(
        world.ctx,
        "",
        sign_in.with_code(world.ctx, visit(world, enter(world)), totp.at(world.clock()), "Firefox", HOME).secret,
    )
    guesses = []
    while len(guesses) < 20:
        pending = visit(world, enter(world))
        with pytest.raises(Unauthenticated):
            sign_in.with_code(world.ctx, pending, "000000", "Firefox", network(len(guesses)))
        guesses.append(world.clock())
        world.clock.at = locks(world).get("second", world.clock())
    pauses = [(after - before).total_seconds() / 60 for before, after in pairwise(guesses)]
    assert pauses == [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1440, 1440, 1440, 1440]
    world.clock.forward(minutes=-9)
    pending = visit(world, enter(world))
    with pytest.raises(Unauthenticated):
        sign_in.with_code(world.ctx, pending, totp.at(world.clock()), "Firefox", network(30))
    assert sign_in.with_code(world.ctx, pending, totp.at(world.clock()), "Firefox", HOME, known), "she comes in"
    pending = visit(world, enter(world))
    world.clock.forward(seconds=30)
    with pytest.raises(Unauthenticated):
        sign_in.with_code(world.ctx, pending, totp.at(world.clock()), "Firefox", network(31))


def test_a_backup_code_lets_in_once(world: World) -> None:
    hire(world)
    here, _, codes = with_app(world)
    assert len(set(codes)) == second_factor.BACKUP_CODES == 8
    typed = codes[0].lower().replace("-", " ")
    sign_in.with_code(world.ctx, visit(world, enter(world)), typed, "Firefox", HOME)
    assert second_factor.standing(world.ctx, here.person).codes_left == 7
    with pytest.raises(Unauthenticated):
        sign_in.with_code(world.ctx, visit(world, enter(world)), codes[0], "Firefox", HOME)
    second_factor.renew_codes(world.ctx, here.person)
    with pytest.raises(Unauthenticated):
        sign_in.with_code(world.ctx, visit(world, enter(world)), codes[1], "Firefox", HOME)


def test_a_backup_code_changes_a_forgotten_password_and_ends_every_session(world: World) -> None:
    hire(world)
    here, _, codes = with_app(world)
    with pytest.raises(Unauthenticated):
        sign_in.reset_by_backup_code(world.ctx, "marie@example.com", "AAAA-AAAA-AAAA", "another word 9", HOME)
    with pytest.raises(Unauthenticated):
        sign_in.reset_by_backup_code(world.ctx, "nobody@example.com", codes[0], "another word 9", HOME)
    sign_in.reset_by_backup_code(world.ctx, "Marie@Example.com", codes[0], "another word 9", HOME)
    assert sessions.devices(world.ctx, here.person) == []
    with pytest.raises(Unauthenticated):
        enter(world)
    assert enter(world, "another word 9").pending, "the second factor is still asked for"


def test_a_sheet_of_backup_codes_replaces_one_factor_and_not_both(world: World) -> None:
    hire(world)
    here, totp, codes = with_app(world)
    sign_in.reset_by_backup_code(world.ctx, "marie@example.com", codes[0], "the thief's word 9", HOME)
    world.clock.forward(days=2)
    pending = visit(world, enter(world, "the thief's word 9"))
    with pytest.raises(Unauthenticated) as refused:
        sign_in.with_code(world.ctx, pending, codes[1], "Firefox", HOME)
    assert refused.value.code == "codes-rest"
    assert second_factor.standing(world.ctx, here.person).codes_left == 7, "the code is not used up"
    sign_in.with_code(world.ctx, pending, totp.at(world.clock()), "Firefox", HOME)
    world.clock.forward(minutes=2)
    pending = visit(world, enter(world, "the thief's word 9"))
    assert sign_in.with_code(world.ctx, pending, codes[1], "Firefox", HOME), "the app was there: codes are good again"


def test_a_sheet_that_outlived_the_app_opens_nothing(world: World) -> None:
    hire(world)
    here, _, codes = with_app(world)
    kept = second_factor.renew_codes(world.ctx, here.person)
    with world.ctx.change() as tx:  # as when the last passkey goes, which leaves the codes
        staff.change(tx, here.person.staff_id, {"totp_confirmed_at": None, "totp_cipher": None})
    for code in (codes[0], kept[0]):
        with pytest.raises(Unauthenticated):
            sign_in.reset_by_backup_code(world.ctx, "marie@example.com", code, "the thief's word 9", HOME)
    assert enter(world)


def test_another_password_ends_links_that_would_choose_one(world: World) -> None:
    hire(world)
    colleague = hire(world, "zoe@example.com")
    marie = visit(world, enter(world)).person
    for lost in (False, True):
        secret = links.new_secret()
        team.reset_link(world.ctx, marie, colleague, secret, lost=lost)
        here = visit(world, enter(world, email="zoe@example.com"))
        sign_in.change_password(world.ctx, here, PASSWORD, "another word 9", HOME)
        sign_in.change_password(
            world.ctx,
            visit(world, tried(world, "another word 9", "zoe@example.com", HOME)),
            "another word 9",
            PASSWORD,
            HOME,
        )
        with pytest.raises(NotFound):
            links.choose_password(world.ctx, secret, "the finder's word 8")


def test_an_app_is_set_up_with_its_first_code_only(world: World) -> None:
    hire(world)
    person = visit(world, enter(world)).person
    second_factor.start(world.ctx, person)
    setup = second_factor.setup(world.ctx, person)
    assert setup is not None
    with pytest.raises(Invalid):
        second_factor.confirm(world.ctx, person, "000000")
    assert not enter(world).pending
    code = pyotp.TOTP(setup.secret).at(world.clock())
    second_factor.confirm(world.ctx, person, code)
    assert second_factor.setup(world.ctx, person) is None, "the secret is not shown again"
    with pytest.raises(Unauthenticated):
        sign_in.with_code(world.ctx, visit(world, enter(world)), code, "Firefox", HOME)
    with pytest.raises(Conflict):
        second_factor.start(world.ctx, person)
    with pytest.raises(Invalid):
        account.confirm(world.ctx, person, "not the password", HOME)
    second_factor.remove(world.ctx, person)
    assert not enter(world).pending


def test_the_apps_secret_is_sealed_and_follows_the_secret_keys(world: World) -> None:
    hire(world)
    _, totp, _ = with_app(world)
    cipher = stored(world).totp_cipher or ""
    assert totp.secret not in cipher
    old = world.ctx.keyring
    fresh = new_key_line("k2")
    world.ctx.keyring = Keyring.parse(f"{fresh}\n{world.ctx.settings.secret_keys}")
    assert credentials.rotate_secrets(world.ctx).renewed > 0
    assert world.ctx.keyring.is_current(stored(world).totp_cipher or "")
    assert not old.is_current(stored(world).totp_cipher or "")
    sign_in.with_code(world.ctx, visit(world, enter(world)), totp.at(world.clock()), "Firefox", HOME)


def test_an_owner_has_some_days_to_set_one_up(world: World) -> None:
    hire(world)
    hire(world, "zoe@example.com", "cashier")
    left = []
    for _ in range(9):
        left.append(visit(world, enter(world)).days_left)
        world.clock.forward(days=1)
    assert left == [7, 6, 5, 4, 3, 2, 1, 0, 0]
    assert visit(world, enter(world, email="zoe@example.com")).days_left is None
    here, _, _ = with_app(world)
    again = sessions.visit(world.ctx, enter(world).secret)
    assert again is not None
    assert again.days_left is None
    assert again.secured
    assert here.days_left == 0


# ---------------------------------------------------------------------- sessions


def lasts(world: World, entered: Entered, **step: float) -> float:
    """For how many hours a session lives that is used once in each step."""
    begun = world.clock()
    for _ in range(1000):
        world.clock.forward(**step)
        if sessions.visit(world.ctx, entered.secret) is None:
            return (world.clock() - begun).total_seconds() / 3600
    raise AssertionError("it never ends")


def test_a_session_ends_when_it_is_not_used_and_at_last_in_any_case(world: World) -> None:
    hire(world)
    hire(world, "zoe@example.com", "cashier")
    assert lasts(world, enter(world), hours=13) == 13
    assert (
        lasts(world, enter(world, remember=True), hours=13) == 728
    )  # the first use after 30 days, which are 720 hours
    assert lasts(world, enter(world, remember=True), days=15) == 24 * 15
    assert lasts(world, enter(world, email="zoe@example.com", remember=True), hours=13) == 13
    assert lasts(world, enter(world, email="zoe@example.com"), hours=11) == 726


def test_a_session_that_waits_for_the_second_factor_waits_ten_minutes(world: World) -> None:
    hire(world)
    with_app(world)
    waiting = enter(world, remember=True)
    world.clock.forward(minutes=9)
    assert visit(world, waiting).pending
    world.clock.forward(minutes=2)
    assert sessions.visit(world.ctx, waiting.secret) is None


def test_sessions_are_seen_and_ended_by_their_person_alone(world: World) -> None:
    hire(world)
    hire(world, "zoe@example.com", "cashier")
    first, second = visit(world, enter(world)), visit(world, enter(world))
    zoe = visit(world, enter(world, email="zoe@example.com"))
    assert {one.session for one in sessions.devices(world.ctx, first.person)} == {first.session, second.session}
    with pytest.raises(NotFound):
        sessions.end_one(world.ctx, zoe.person, first.session)
    sessions.end_one(world.ctx, first.person, second.session)
    assert [one.session for one in sessions.devices(world.ctx, first.person)] == [first.session]
    sessions.end_everywhere(world.ctx, first.person)
    assert sessions.devices(world.ctx, first.person) == []
    assert len(sessions.devices(world.ctx, zoe.person)) == 1


def test_a_changed_password_ends_the_other_sessions(world: World) -> None:
    hire(world)
    here, there = enter(world), enter(world)
    with pytest.raises(Invalid):
        sign_in.change_password(world.ctx, visit(world, here), "not the password", "another word 9", HOME)
    sign_in.change_password(world.ctx, visit(world, here), PASSWORD, "another word 9", HOME)
    assert sessions.visit(world.ctx, there.secret) is None
    assert not visit(world, here).pending
    enter(world, "another word 9")


def test_no_secret_is_stored_or_logged(world: World) -> None:
    hire(world)
    structlog.reset_defaults()  # an application that was built before may have asked for errors alone
    with structlog.testing.capture_logs() as lines:
        _, totp, codes = with_app(world)
        entered = sign_in.with_code(world.ctx, visit(world, enter(world)), codes[0], "Firefox", HOME)
        fail(world, attempts.NEAR.free)
    told = str(lines)
    assert {line["event"] for line in lines} >= {"session began", "sign-in failed", "backup code used"}
    assert any(line.get("locked") for line in lines)
    world.ctx.database.engine.dispose()
    kept = b"".join(file.read_bytes() for file in world.ctx.settings.data_dir.glob("wallet-*.db*"))
    assert len(kept) > 10_000
    for secret in (PASSWORD, totp.secret, codes[0], codes[1], entered.secret):
        assert secret not in told
        assert secret.encode() not in kept
    assert "marie@example.com" not in told


def test_a_way_to_sign_in_is_added_soon_after_signing_in_alone(world: World) -> None:
    hire(world)
    entered = enter(world)
    world.clock.forward(minutes=29)
    sessions.require_recent(world.ctx, visit(world, entered))
    world.clock.forward(minutes=2)
    with pytest.raises(Conflict):
        sessions.require_recent(world.ctx, visit(world, entered))
