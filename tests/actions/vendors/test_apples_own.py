"""Outside the sandbox a certificate is taken when its intermediate is Apple's own; names alone claim nothing new."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from tests.wallets.samples import PASS_TYPE, TEAM, Authority, like_apple
from tests.world import World, authority
from wallet_server.actions.operating import doctor
from wallet_server.actions.vendors import apple_setup, certificates, given_papers, push_keys
from wallet_server.actions.vendors import credentials as vault
from wallet_server.errors import Misconfigured
from wallet_server.wallets.apple.credentials import Credentials
from wallet_server.wallets.apple.papers import Upload

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stranger() -> Authority:
    return like_apple()


@pytest.fixture
def live(world: World) -> World:
    """An installation with an address of its own; what its sandbox made before is none of its business here."""
    world.ctx.settings = replace(world.ctx.settings, environment="live")
    return world


def forged(stranger: Authority) -> Upload:
    return Upload(certificate=stranger.leaf(), key=stranger.key, wwdr=stranger.wwdr())


def taken_before(live: World, upload: Upload) -> int:
    """As an earlier version took it, which believed names."""
    parts = upload.certificate, upload.key, upload.wwdr
    loaded = Credentials.load(*parts, live.clock.at, stored=True)
    return vault.install(live.ctx, loaded, vault.Claim(account_id=live.merchant.account_id)).set_id


def name(live: World, upload: Upload) -> None:
    """The operator names this intermediate in the settings."""
    own = x509.load_pem_x509_certificate(upload.wwdr).fingerprint(hashes.SHA256()).hex()
    live.ctx.settings = replace(live.ctx.settings, apple_intermediates=(own,))


def installed(live: World) -> set[str]:
    return {row.pass_type for row in vault.all_sets(live.ctx)}


def test_nobody_claims_a_pass_type_by_names_on_any_way_into_the_vault(live: World, stranger: Authority) -> None:
    upload = forged(stranger)
    parts = upload.certificate, upload.key, upload.wwdr
    done, said = certificates.bring(live.ctx, live.merchant, upload, None)
    assert (done, [one.code for one in said]) == (None, ["wwdr-unknown"])
    papers, said = apple_setup.look_at(live.ctx, upload, PASS_TYPE, TEAM)
    assert (papers, [one.code for one in said]) == (None, ["wwdr-unknown"])
    with pytest.raises(Misconfigured):
        vault.add(live.ctx, None, *parts)
    live.ctx.settings = replace(live.ctx.settings, apple_certificate=b"".join(parts), apple_key=upload.key)
    assert given_papers.take_in(live.ctx) is False
    assert [one.code for one in given_papers.look_at(live.ctx)] == ["wwdr-unknown"]
    assert PASS_TYPE not in installed(live)

    name(live, upload)
    papers, said = apple_setup.look_at(live.ctx, upload, PASS_TYPE, TEAM)
    assert (papers is not None, [one.code for one in said]) == (True, ["apple-by-name"])
    done, said = certificates.bring(live.ctx, live.merchant, upload, None)
    assert (done is not None, said) == (True, [])
    assert PASS_TYPE in installed(live)


def test_what_was_taken_before_signs_on_is_warned_of_and_not_renewed(live: World, stranger: Authority) -> None:
    upload = forged(stranger)
    set_id = taken_before(live, upload)
    assert vault.Vault(live.ctx)(set_id).pass_type == PASS_TYPE
    said = [one for one in doctor.examine(live.ctx) if one.check == "certificate" and PASS_TYPE in one.sentence]
    assert [one.level for one in said] == ["warning"]
    assert "WALLET_APPLE_INTERMEDIATES" in said[0].sentence
    assert [one.doubtful for one in certificates.shown(live.ctx, live.merchant).certificates if one.own] == [True]
    with pytest.raises(Misconfigured):
        vault.renew(live.ctx, set_id, stranger.leaf(), stranger.key, stranger.wwdr())

    name(live, upload)
    assert [one.doubtful for one in certificates.shown(live.ctx, live.merchant).certificates if one.own] == [False]
    assert vault.renew(live.ctx, set_id, stranger.leaf(), upload.key, upload.wwdr)
    live.ctx.settings = replace(live.ctx.settings, apple_intermediates=())
    vault.swap_back(live.ctx, PASS_TYPE)
    row = next(one for one in vault.all_sets(live.ctx) if one.id == set_id)
    assert row.certificate.encode() == upload.certificate, "one goes back in an emergency, whatever the list says"


def test_a_push_key_is_not_lent_to_a_set_that_merely_claims_its_team(live: World, stranger: Authority) -> None:
    kid, pem = authority().push_key(TEAM)
    upload = forged(stranger)
    taken_before(live, upload)
    with pytest.raises(Misconfigured, match="No certificate of team"):
        push_keys.install(live.ctx, pem, kid, TEAM)
    assert push_keys.all_keys(live.ctx) == ()
    name(live, upload)
    assert push_keys.install(live.ctx, pem, kid, TEAM) == [PASS_TYPE]
