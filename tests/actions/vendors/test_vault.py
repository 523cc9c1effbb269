"""The vault: what is renewed can be gone back to, what ends is said once for each threshold, settings bring papers."""

from __future__ import annotations

import base64
import os
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
import structlog
from structlog.testing import capture_logs

from tests.world import NOON, PASS_TYPE, World, authority, together
from wallet_server.actions.operating import upkeep
from wallet_server.actions.vendors import certificate_days, given_papers, push_keys
from wallet_server.actions.vendors import credentials as vault
from wallet_server.errors import Conflict, Misconfigured, NotFound
from wallet_server.records.schema import circuits, previous_certificates
from wallet_server.records.vendors import credentials
from wallet_server.records.vendors import push_keys as kept_keys
from wallet_server.sandbox.authority import Authority
from wallet_server.settings import Settings
from wallet_server.wallets.apple.credentials import Credentials
from wallet_server.wallets.apple.provider_token import LEAST_AGE, RENEWED_AFTER

pytestmark = pytest.mark.slow

TEAM = "TEAM123456"


def fresh(at: datetime, folder: Path, pass_type: str = PASS_TYPE, team: str = TEAM) -> Credentials:
    """A certificate that was made at that time, for a year."""
    made_by = Authority.open(folder / f"{at:%Y%m%d}", at)
    return Credentials.load(*made_by.pass_certificate(pass_type, team), made_by.wwdr_pem, at, sandbox=True)


def current(world: World) -> credentials.CredentialRow:
    return vault.all_sets(world.ctx)[0]


def end(row: credentials.CredentialRow) -> datetime:
    return row.not_after


def test_a_renewal_is_taken_in_seconds_and_can_be_gone_back_from_and_to(world: World, tmp_path: Path) -> None:
    ctx, opened = world.ctx, vault.Vault(world.ctx)
    before, old = current(world), opened(current(world).id)
    world.clock.forward(days=30)
    new = fresh(world.clock.at, tmp_path)
    with ctx.change() as tx:
        tx.execute(sa.insert(circuits).values(
            name=f"apple:{before.id}", open_until=NOON + timedelta(days=90), why="refused", opened_at=NOON
        ))  # fmt: skip
    opened(before.id)
    done = vault.install(ctx, new, vault.Claim())
    assert (done.set_id, done.renewed, done.changed) == (before.id, True, True)
    with ctx.look() as tx:
        assert tx.execute(sa.select(circuits.c.name)).all() == []
    assert opened(before.id).certificate_pem == old.certificate_pem, "work in hand goes on with the old one"
    world.clock.forward(seconds=vault.KEPT_SECONDS)
    assert opened(before.id).certificate_pem == new.certificate_pem

    assert vault.install(ctx, new, vault.Claim()).changed is False
    assert current(world).version == before.version + 1
    assert vault.swap_back(ctx, PASS_TYPE) == old.not_after
    world.clock.forward(seconds=vault.KEPT_SECONDS)
    assert opened(before.id) == old
    assert vault.swap_back(ctx, PASS_TYPE) == new.not_after
    world.clock.forward(seconds=vault.KEPT_SECONDS)
    assert opened(before.id).certificate_pem == new.certificate_pem

    world.clock.at = old.not_after + timedelta(seconds=1)
    assert vault.previous(ctx) == {}
    with pytest.raises(Misconfigured, match="expired"):
        vault.swap_back(ctx, PASS_TYPE)
    upkeep.schedule(ctx)
    world.clock.forward(days=1)
    world.work()
    with ctx.look() as tx:
        assert tx.execute(sa.select(previous_certificates)).all() == [], "a key that ended is thrown away at night"
    with pytest.raises(NotFound):
        vault.swap_back(ctx, PASS_TYPE)


def test_an_older_one_and_one_of_another_team_change_nothing(world: World, tmp_path: Path) -> None:
    before = current(world)
    for loaded in (
        fresh(NOON - timedelta(days=40), tmp_path),
        fresh(NOON + timedelta(days=1), tmp_path, team="OTHER12345"),
    ):
        with pytest.raises(Misconfigured):
            vault.install(world.ctx, loaded, vault.Claim())
    assert current(world) == before


def test_an_account_renews_its_own_and_no_others_and_the_platforms_only_when_it_is_alone(
    world: World, tmp_path: Path
) -> None:
    new = fresh(NOON + timedelta(days=1), tmp_path)
    mine = vault.Claim(account_id=1, operator=False)
    with pytest.raises(Conflict) as refusal:
        vault.install(world.ctx, new, mine)
    assert refusal.value.code == "foreign-credentials"
    assert vault.install(world.ctx, new, replace(mine, alone=True)).renewed
    own = fresh(NOON, tmp_path / "own", "pass.test.own")
    assert not vault.install(world.ctx, own, mine).renewed
    later = fresh(NOON + timedelta(days=3), tmp_path / "later", "pass.test.own")
    with pytest.raises(Conflict):
        vault.install(world.ctx, later, vault.Claim(account_id=2, operator=False, alone=True))
    assert vault.install(world.ctx, later, mine).renewed


def test_processes_that_start_together_install_one_set(world: World, tmp_path: Path) -> None:
    new = fresh(NOON, tmp_path, "pass.test.fresh")
    done = together(*[lambda: vault.install(world.ctx, new, vault.Claim())] * 4)
    assert sorted(one.changed for one in done) == [False, False, False, True]
    assert [row.pass_type for row in vault.all_sets(world.ctx)] == [PASS_TYPE, "pass.test.fresh"]


# ---------------------------------------------------------------------- days


def said(world: World) -> list[tuple[str, int]]:
    structlog.reset_defaults()  # an application that was built before may have asked for errors alone
    with capture_logs() as lines:
        certificate_days.warn(world.ctx)
    return [(line["log_level"], line["threshold"]) for line in lines]


def test_each_threshold_is_said_once_also_after_a_restart_and_by_several_processes(world: World) -> None:
    ends = end(current(world))
    assert said(world) == []
    heard = []
    for left in (60.5, 60, 59, 31, 30, 14.2, 14, 13, 7, 2, 1, 0.3, -0.1, -5):
        world.clock.at = ends - timedelta(days=left)
        heard += [threshold for _, threshold in said(world)]
        assert said(world) == [], "a restart says nothing again"
    assert heard == [60, 30, 14, 7, 1, 0]


def test_a_start_after_a_long_rest_says_the_lowest_threshold_alone(world: World, tmp_path: Path) -> None:
    world.clock.at = end(current(world)) - timedelta(days=5)
    counts = together(*[lambda: certificate_days.warn(world.ctx)] * 4)
    assert sorted(counts) == [0, 0, 0, 1]
    assert [row.warned_days for row in vault.all_sets(world.ctx)] == [7]
    vault.install(world.ctx, fresh(world.clock.at, tmp_path), vault.Claim())
    assert said(world) == []
    world.clock.at = end(current(world)) - timedelta(days=60)
    assert said(world) == [("warning", 60)], "the renewed one is warned of afresh"


def test_the_log_tells_which_and_whose_and_never_the_key(world: World) -> None:
    world.clock.at = end(current(world)) + timedelta(days=1)
    with capture_logs() as lines:
        upkeep.schedule(world.ctx)
    (line,) = lines
    assert (line["log_level"], line["pass_type"], line["owner"], line["days_left"]) == (
        "error",
        PASS_TYPE,
        "the platform",
        0,
    )
    assert "PRIVATE" not in repr(lines)


# ---------------------------------------------------------------------- from the settings


def given(world: World, **settings: object) -> None:
    world.ctx.settings = replace(world.ctx.settings, **settings)  # type: ignore[arg-type]


def test_the_settings_bring_a_certificate_once_and_a_renewed_one_when_it_is_new(world: World, tmp_path: Path) -> None:
    ctx, old = world.ctx, current(world)
    assert given_papers.take_in(ctx) is False
    new = fresh(world.clock.forward(days=2), tmp_path)
    given(world, apple_certificate=new.certificate_pem + new.wwdr_pem, apple_key=new.key_pem)
    assert [given_papers.take_in(ctx) for _ in range(3)] == [True, False, False]
    assert current(world).not_after == new.not_after
    vault.swap_back(ctx, PASS_TYPE)
    assert given_papers.take_in(ctx) is False, "an operator went back: a restart does not undo that"
    assert current(world).not_after == old.not_after
    later = fresh(world.clock.forward(days=2), tmp_path)
    vault.install(ctx, later, vault.Claim())
    assert given_papers.take_in(ctx) is False, "one that is valid longer was installed since"
    assert current(world).not_after == later.not_after


def test_what_is_wrong_with_the_settings_certificate_is_said_and_stops_nothing(world: World, tmp_path: Path) -> None:
    before = current(world)
    new = fresh(NOON, tmp_path)
    other = fresh(NOON - timedelta(days=1), tmp_path)  # made right after: its key is another one of the ring
    given(world, apple_certificate=new.certificate_pem, apple_key=other.key_pem)
    with capture_logs() as lines:
        assert given_papers.take_in(world.ctx) is False
    assert "key-mismatch" in str(lines)
    assert "PRIVATE" not in str(lines)
    assert current(world) == before
    assert [one.code for one in given_papers.look_at(world.ctx)] == ["wwdr-missing", "key-mismatch"]


def test_a_password_of_the_settings_that_is_no_text_stops_nothing(world: World) -> None:
    before = current(world)
    given(world, apple_p12=b"no export", apple_password=os.fsdecode(b"s\xe9same"))
    assert given_papers.take_in(world.ctx) is False
    assert current(world) == before
    assert "p12-unreadable" in [one.code for one in given_papers.look_at(world.ctx)]


def test_settings_read_pem_base64_and_der_files(tmp_path: Path) -> None:
    new = fresh(NOON, tmp_path)
    raw = base64.b64decode(b"".join(new.certificate_pem.splitlines()[1:-1]))
    (tmp_path / "pass.cer").write_bytes(raw)
    read = Settings.from_env({
        "WALLET_APPLE_CERTIFICATE_FILE": str(tmp_path / "pass.cer"),
        "WALLET_APPLE_KEY": new.key_pem.decode(),
        "WALLET_APPLE_P12": base64.encodebytes(raw).decode(),
    })  # fmt: skip
    assert (read.apple_certificate, read.apple_key, read.apple_p12) == (raw, new.key_pem, raw)
    assert "PRIVATE" not in repr(read)
    for bad in ({"WALLET_APPLE_KEY": "!"}, {"WALLET_METRICS_TOKEN": "short"}, {"WALLET_APNS_PRIORITY": "10"}):
        with pytest.raises(Misconfigured):
            Settings.from_env(bad)


def test_fingerprints_of_intermediates_are_read_however_they_are_written() -> None:
    one, other = "0123456789abcdef" * 4, "ff" * 32
    colons = ":".join(["FF"] * 32)
    for text, read in (
        ("", ()),
        (" ", ()),
        (one, (one,)),
        (f"{one.upper()}, {colons}\n", (one, other)),
        (f"{one} {one}\t{other}", (one, other)),
    ):
        assert Settings.from_env({"WALLET_APPLE_INTERMEDIATES": text}).apple_intermediates == read
    for bad in (one[1:], one + "0", f"{one};{other}", one[:-1] + "g", one[:-1] + "\N{ARABIC-INDIC DIGIT ONE}", "G4"):
        with pytest.raises(Misconfigured, match="WALLET_APPLE_INTERMEDIATES: must be SHA-256 fingerprints"):
            Settings.from_env({"WALLET_APPLE_INTERMEDIATES": bad})


# ---------------------------------------------------------------------- push keys


def test_a_teams_key_opens_its_own_pass_types_and_is_shared_sealed_and_renewed_by_the_rule(world: World) -> None:
    ctx = world.ctx
    kid, pem = authority().push_key(TEAM)
    with pytest.raises(Misconfigured, match="No certificate of team"):
        push_keys.install(ctx, pem, kid, "STRANGER99")
    team = current(world).team
    assert push_keys.install(ctx, pem, kid, team) == [PASS_TYPE]
    (kept,) = push_keys.all_keys(ctx)
    assert pem.decode() not in kept.key_cipher

    one, other = (push_keys.provider(ctx, kept.id, team) for _ in range(2))
    start = world.clock.at
    token = one.bearer(start)
    assert other.bearer(start + RENEWED_AFTER / 2) == token, "another process sends the same"
    assert push_keys.provider(ctx, kept.id, team).bearer(start + timedelta(minutes=1)) == token, (
        "and so after a restart"
    )
    assert one.renewed(start + LEAST_AGE / 2, token) is None, "not before twenty minutes"
    second = one.renewed(start + LEAST_AGE, token)
    assert second not in (None, token)
    assert other.renewed(start + LEAST_AGE, token) == second, "one renewal for both"
    assert one.bearer(start + LEAST_AGE + RENEWED_AFTER) not in (token, second)
    with ctx.look() as tx:
        row = kept_keys.key(tx, kept.id)
    assert row is not None
    assert row.token_cipher is not None
    assert token not in row.token_cipher


def test_a_key_that_is_removed_or_damaged_leaves_the_certificate(world: World) -> None:
    ctx, opened = world.ctx, vault.Vault(world.ctx)
    kid, pem = authority().push_key(TEAM)
    team = current(world).team
    push_keys.install(ctx, pem, kid, team)
    held = opened(current(world).id)
    assert held.provider is not None
    push_keys.remove(ctx, team)
    assert held.provider.bearer(world.clock.at), "a batch in hand goes on"
    world.clock.forward(seconds=vault.KEPT_SECONDS)
    assert opened(current(world).id).provider is None
    with pytest.raises(NotFound):
        push_keys.remove(ctx, team)


def test_a_pass_type_that_comes_later_is_rung_by_its_owners_push_key(world: World, tmp_path: Path) -> None:
    row = current(world)
    kid, pem = authority().push_key(row.team)
    push_keys.install(world.ctx, pem, kid, row.team)
    for name, team, account in (("same", row.team, None), ("team", "OTHER12345", None), ("owner", row.team, 1)):
        new = fresh(world.clock.at, tmp_path / name, f"pass.test.{name}", team)
        vault.install(world.ctx, new, vault.Claim(account_id=account))
    used = {one.pass_type: one.push_key_id for one in vault.all_sets(world.ctx)}
    key = used[PASS_TYPE]
    assert key is not None
    assert used == {PASS_TYPE: key, "pass.test.same": key, "pass.test.team": None, "pass.test.owner": None}
