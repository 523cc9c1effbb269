"""The doctor on Google Wallet, over the wire: what is wrong is named with what to do, and the rest is left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.conftest import NewDatabase
from tests.world import World, founded
from wallet_server import resources
from wallet_server.actions.operating import doctor
from wallet_server.actions.passes import saving
from wallet_server.actions.vendors import google_accounts
from wallet_server.actions.vendors.credentials import Claim
from wallet_server.actions.vendors.google_accounts import ServiceAccount
from wallet_server.installation import google_wallet
from wallet_server.sandbox.authority import Authority
from wallet_server.sandbox.google import GoogleServer, Order
from wallet_server.wallets.designs import load_designs
from wallet_server.wallets.google.api import Account, Session, Where, path_of

ISSUER = "3388000000022222222"


@pytest.fixture
def google(tmp_path: Path) -> Iterator[GoogleServer]:
    authority = Authority.open(tmp_path / "authority", datetime.now(UTC))
    with GoogleServer(authority).in_thread() as google:
        yield google


@pytest.fixture
def world(new_database: NewDatabase, tmp_path: Path, google: GoogleServer) -> Iterator[World]:
    where = {
        "google_api_url": google.address,
        "google_token_url": google.token_url,
        "google_save_url": google.save_url.rstrip("/"),
        "google_ca": google.trust_pem.decode(),
        "base_url": "https://cards.example.com",
    }
    with founded(new_database("sqlite"), tmp_path, **where) as made:
        account = google.issue_account(ISSUER)
        given = ServiceAccount(ISSUER, account["client_email"], account["private_key"].encode())
        google_accounts.install(made.ctx, given, Claim())
        wallet = google_wallet(made.ctx, load_designs(resources.templates()))
        made.ctx.wallets = {**made.ctx.wallets, wallet.name: wallet}
        yield made
        wallet.close()


def _change(google: GoogleServer, programme: str, review: tuple[str, str], patch: dict[str, object]) -> None:
    """Somebody changes the class at Google, and it is reviewed."""
    google.switches.review = review
    given = google.issue_account(ISSUER)
    account = Account(ISSUER, given["client_email"], given["private_key"].encode(), 1)
    session = Session(account, Where(google.address, google.token_url, google.trust_pem))
    path = path_of("loyaltyClass", f"{ISSUER}.{programme}")
    assert session.call("PATCH", path, {**patch, "reviewStatus": "UNDER_REVIEW"}).fault is None
    session.close()


def _seen(world: World) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in doctor.examine(world.ctx):
        if one.check == "google":
            found.setdefault(one.level, []).append(one.sentence)
    return found


@pytest.mark.slow
def test_each_thing_that_keeps_cards_out_of_google_wallet_is_named(world: World, google: GoogleServer) -> None:
    well = _seen(world)
    assert well.keys() == {"ok"}
    assert "no card yet" in well["ok"][1]
    holder = world.enrol()
    link = saving.google_link(world.ctx, holder.pass_public_id)
    assert link is not None
    saving.save(world.ctx, link.split("/")[-2])
    well = _seen(world)
    assert well.keys() == {"ok"}
    assert [sentence.rpartition(" ")[2] for sentence in well["ok"]] == ["it.", "approved.", "valid."]

    email = google.issue_account(ISSUER)["client_email"]
    google.permit(ISSUER, email, allowed=False)
    assert "under Users in the console" in _seen(world)["error"][0]
    google.permit(ISSUER, email, allowed=True)

    google.tell(Order(503))
    assert _seen(world).keys() == {"warning"}
    google.tell(None)

    _change(google, world.programme, ("REJECTED", "The logo is blurred."), {})
    assert "The logo is blurred." in _seen(world)["error"][0]
    elsewhere = {"callbackOptions": {"url": "https://elsewhere.example"}}
    _change(google, world.programme, ("APPROVED", ""), elsewhere)
    (warned,) = _seen(world)["warning"]
    assert "calls back at https://elsewhere.example" in warned

    world.ctx.settings = replace(world.ctx.settings, google_token_url=f"{google.address}/nowhere")
    assert _seen(world).keys() <= {"warning", "error"}
