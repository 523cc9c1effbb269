"""Secrets are nowhere in the clear, rotate with an overlap, and no print of the settings shows one."""

from __future__ import annotations

import base64
import dataclasses
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from tests.phone import Phone
from tests.world import PASS_TYPE, SECRET_KEYS, World, authority
from wallet_server.actions import keys
from wallet_server.actions.passes import devices
from wallet_server.actions.people import enrol
from wallet_server.actions.vendors import credentials
from wallet_server.actions.vendors.credentials import Rotation
from wallet_server.errors import Misconfigured, NotFound, Unauthenticated
from wallet_server.records.envelope import Keyring, keyring_file, new_key_line
from wallet_server.records.schema import metadata
from wallet_server.records.vendors import credentials as vault
from wallet_server.settings import Settings, table, variable


def _stored(world: World) -> bytes:
    """Every value of every row of every table, as bytes."""
    parts: list[bytes] = []
    with world.ctx.look() as tx:
        for name in metadata.tables:
            for row in tx.execute(sa.text(f"SELECT * FROM {name}")):
                parts += [bytes(v) if isinstance(v, bytes | memoryview) else str(v).encode() for v in row]
    return b"\n".join(parts)


def test_no_key_token_code_or_private_key_is_stored_in_the_clear(world: World) -> None:
    phone = Phone(world, world.enrol()).add()
    holder = phone.holder
    world.sell(holder, 1000, receipt="r", key="k")
    world.redeem(holder, 5, key="k2")
    world.client().post("/v1/lookups", json={"code": holder.code}, headers=world.bearer(world.founded.till_key))
    world.work()
    stored = _stored(world)
    _, private = authority().pass_certificate(PASS_TYPE, "TEAM123456")
    body = private.decode().split("-----")[2].strip()
    reference = holder.code.split(".")[3]
    secrets = {
        "pass token": holder.token,
        "code": holder.code,
        "reference of the code": reference,
        "till key": world.founded.till_key.partition(".")[2],
        "merchant key": world.founded.merchant_key.partition(".")[2],
        "private key": body.splitlines()[3],
        "secret key": SECRET_KEYS.partition(":")[2],
    }
    assert holder.serial.encode() in stored  # the search has found what is there
    for name, secret in secrets.items():
        assert secret.encode() not in stored, name
        assert base64.b64encode(secret.encode()).rstrip(b"=")[:-1] not in stored, name


def test_secret_keys_rotate_with_an_overlap_and_then_the_old_one_may_go(world: World) -> None:
    phone = Phone(world, world.enrol()).add()
    ctx, old = world.ctx, SECRET_KEYS
    new = new_key_line("k2")
    link = ctx.link("card", phone.holder.pass_public_id).rsplit("/", 1)[1]
    ctx.keyring = Keyring.parse(f"{new}\n{old}")
    fresh = Phone(world, world.enrol(), "library-2", "cd" * 32).add()  # sealed under the new one
    assert enrol.web_card(ctx, link).code == phone.holder.code  # links of the old key still open
    assert credentials.rotate_secrets(ctx) == Rotation(5, 0, ())  # two private keys, a token, a code, a recovery code
    assert credentials.rotate_secrets(ctx) == Rotation(0, 0, ())
    ctx.keyring = Keyring.parse(new)
    for one in (phone, fresh):
        again = world.holder(one.holder.pass_public_id)
        assert (again.token, again.code) == (one.holder.token, one.holder.code)
    ctx.signed.__init__()  # type: ignore[misc]
    holder = phone.holder
    assert devices.fetch(ctx, PASS_TYPE, holder.serial, holder.token, None).body
    assert credentials.private_key(ctx, credentials.all_sets(ctx)[0]).startswith(b"-----BEGIN")
    ctx.keyring = Keyring.parse(old)
    with pytest.raises(Misconfigured, match="k2"):
        world.holder(fresh.holder.pass_public_id)


@pytest.mark.parametrize("spoilt", ["", "v1.k1.AAAA", "v1.k1.AAA", "v1.k9.AAAA", "v1.k1.²"])
def test_a_rotation_goes_past_what_is_damaged_and_names_it(world: World, spoilt: str) -> None:
    first, second = world.enrol(), world.enrol()
    ctx = world.ctx
    with ctx.change() as tx:
        for table, column, where in (
            ("credential_sets", "key_cipher", "1 = 1"),
            ("passes", "token_cipher", f"id = {first.pass_id}"),
            ("codes", "cipher", f"pass_id = {first.pass_id}"),
        ):
            tx.execute(sa.text(f"UPDATE {table} SET {column} = :spoilt WHERE {where}"), {"spoilt": spoilt})
    ctx.keyring = Keyring.parse(f"{new_key_line('k2')}\n{SECRET_KEYS}")
    done = credentials.rotate_secrets(ctx)
    assert (done.renewed, done.damaged) == (5, 3)  # the second card's two, both recovery codes, the codes' key
    key, token, code = done.named
    assert key.startswith(f"The key of the certificate for {PASS_TYPE} of the platform: ")
    assert token.startswith(f"passes.token_cipher, row {first.pass_id} ({first.serial}), of Boulangerie: ")
    assert "codes.cipher, row" in code
    ctx.keyring = Keyring.parse(SECRET_KEYS.replace("k1:", "k3:") + "\n" + new_key_line("k4"))
    with pytest.raises(Misconfigured, match="k2"):
        world.holder(second.pass_public_id)


def test_a_renewal_during_a_rotation_is_not_overwritten(world: World) -> None:
    ctx = world.ctx
    before = credentials.all_sets(ctx)[0]
    certificate, key = authority().renewed_certificate(PASS_TYPE, "TEAM123456")
    credentials.renew(ctx, before.id, certificate, key, authority().wwdr_pem)
    renewed = credentials.all_sets(ctx)[0]
    with ctx.change() as tx:
        assert vault.reseal_key(tx, before.id, before.key_cipher, "stale") == 0
    assert credentials.all_sets(ctx)[0] == renewed


def test_an_envelope_opens_nowhere_but_in_its_place() -> None:
    ring = Keyring.parse(SECRET_KEYS)
    sealed = ring.seal(b"secret", "pass-token:A")
    assert ring.open(sealed, "pass-token:A") == b"secret"
    for envelope, place in ((sealed, "pass-token:B"), (sealed[:-4] + "AAAA", "pass-token:A"), ("v2.k1.x", "x")):
        with pytest.raises(Misconfigured):
            ring.open(envelope, place)
    assert ring.seal(b"secret", "pass-token:A") != sealed


@pytest.mark.slow
@given(st.text(max_size=60))
def test_no_text_passes_for_a_signature_and_none_breaks_the_check(text: str) -> None:
    ring = Keyring.parse(SECRET_KEYS)
    assert not ring.verify("card", "pass_x", text)
    assert not ring.verify("card", "pass_x", f"k1.{text}")
    assert ring.verify("card", text, ring.sign("card", text))
    assert not ring.verify("stop", text, ring.sign("card", text))


def test_a_link_serves_its_own_purpose_for_its_own_time(world: World) -> None:
    holder = world.enrol()
    card = world.ctx.link("card", holder.pass_public_id).rsplit("/", 1)[1]
    download = enrol.download_link(world.ctx, holder.pass_public_id).split("/")[-2]
    with pytest.raises(NotFound):
        enrol.download(world.ctx, card)
    with pytest.raises(NotFound):
        enrol.web_card(world.ctx, download)
    other = world.enrol()
    with pytest.raises(NotFound):
        enrol.web_card(world.ctx, card.replace(holder.pass_public_id, other.pass_public_id))
    for junk in ("", ".", "..", "²", f"{holder.pass_public_id}.²²².k1.x", f"{holder.pass_public_id}.é", "\x00.1.k1.x"):
        with pytest.raises(NotFound):
            enrol.download(world.ctx, junk)
        with pytest.raises(NotFound):
            enrol.web_card(world.ctx, junk)
    assert enrol.download(world.ctx, download)[0]
    world.clock.forward(minutes=world.ctx.settings.link_minutes, seconds=1)
    with pytest.raises(NotFound) as refusal:
        enrol.download(world.ctx, download)
    assert refusal.value.code == "link-expired"


def test_a_key_can_run_out_with_an_overlap_or_end_at_once(world: World) -> None:
    ctx, merchant = world.ctx, world.merchant
    spare = world.second_till()
    spare_id = spare.partition(".")[0]
    owner = replace(merchant, scopes=merchant.scopes | {"staff"})
    keys.rotate(ctx, owner, spare_id, world.clock() + timedelta(minutes=10))
    assert keys.authenticate(ctx, spare).principal != world.till.principal
    world.clock.forward(minutes=10)
    with pytest.raises(Unauthenticated):
        keys.authenticate(ctx, spare)
    keys.revoke(ctx, merchant, world.till.key_id)
    with pytest.raises(Unauthenticated):
        _ = world.till


# ----------------------------------------------------------------------------------------------------- settings

SECRET = "Zz9-very-secret-Zz9"


def test_no_print_of_the_settings_shows_a_secret() -> None:
    settings = Settings(database_url=f"postgresql+psycopg://u:{SECRET}@h/d", secret_keys=f"k1:{SECRET}")
    assert SECRET not in repr(settings)
    assert SECRET not in str(settings)
    secret = {name for name, _, _, is_secret in table() if is_secret}
    assert secret >= {"WALLET_DATABASE_URL", "WALLET_SECRET_KEYS"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WALLET_COALESE_SECONDS", "3"),
        ("WALLET_PORT", "eighty"),
        ("WALLET_PORT", "0"),
        ("WALLET_DATABASE_URL", "mysql://x"),
        ("WALLET_BASE_URL", "cards.example.com"),
        ("WALLET_ENVIRONMENT", "production"),
        ("WALLET_SECRET_KEYS_FILE", "/nowhere/at/all"),
        ("WALLET_APNS_URL", "https://push.example.com"),
        ("WALLET_APNS_URL", "https://api.push.apple.com.example.com"),
        ("WALLET_APNS_CA", "-----BEGIN CERTIFICATE-----"),
    ],
)
def test_a_setting_that_is_unknown_wrong_or_would_trust_a_stranger_stops_the_start(name: str, value: str) -> None:
    with pytest.raises(Misconfigured, match=name.removesuffix("_CA").removesuffix("_URL")):
        Settings.from_env({name: value})


def test_a_setting_may_come_from_a_file_and_the_sandbox_may_name_its_own_push_service(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"{SECRET_KEYS}\n")
    settings = Settings.from_env(
        {
            "WALLET_SECRET_KEYS_FILE": str(tmp_path / "keys"),
            "WALLET_ENVIRONMENT": "sandbox",
            "WALLET_APNS_URL": "https://localhost:8443",
            "WALLET_TEST_POSTGRES_URL": "ours to ignore",
            "PATH": "/bin",
        }
    )
    assert settings.secret_keys == SECRET_KEYS
    assert settings.apns_url == "https://localhost:8443"


def test_every_setting_has_a_variable_a_sentence_and_a_readable_default() -> None:
    for name, default, sentence, _ in table():
        assert sentence.endswith(".")
        if default:
            read = Settings.from_env({name: default})
            assert str(getattr(read, name.removeprefix("WALLET_").lower())) in (default, str(Path(default).absolute()))
    assert len({variable(field.name) for field in dataclasses.fields(Settings)}) == len(table())


@pytest.mark.parametrize("text", ["", "k1", "k1:short", "k1:!!!!", "K!:" + SECRET_KEYS.partition(":")[2]])
def test_keys_that_cannot_be_read_are_refused_in_words(text: str) -> None:
    with pytest.raises(Misconfigured):
        Keyring.parse(text)


def test_a_missing_key_file_is_made_for_its_owner_alone_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "data" / "secret.keys"
    first = keyring_file(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert keyring_file(file) == first
    Keyring.parse(first)
