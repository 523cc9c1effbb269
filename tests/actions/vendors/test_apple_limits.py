"""What would keep every card of a version from being signed is told when it is published, not by phones turned away."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.actions.purse.test_coupons import promising
from tests.conftest import NewDatabase
from tests.world import PASS_TYPE, Holder, World, founded
from wallet_server.actions.passes import devices
from wallet_server.actions.people import enrol
from wallet_server.actions.programme import programs
from wallet_server.errors import Invalid, Misconfigured
from wallet_server.records.schema import publications


@pytest.fixture
def world(new_database: NewDatabase, tmp_path: Path) -> Iterator[World]:
    with founded(new_database("sqlite"), tmp_path, document=promising()) as made:
        yield made


def publish(world: World, **more: Any) -> None:
    document = promising() | more
    programs.publish_version(world.ctx, world.merchant, world.programme, document, world.wish("publish"))
    world.work()


def files_of(world: World, holder: Holder) -> dict[str, bytes]:
    token = enrol.download_path(world.ctx, holder.pass_public_id).rsplit("/", 1)[1]
    with zipfile.ZipFile(io.BytesIO(enrol.download(world.ctx, token)[0])) as file:
        return {name: file.read(name) for name in file.namelist()}


def app(link: str) -> dict[str, Any]:
    return {"apple": {"app": {"store_id": 1234567890, "launch_link": link}}}


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        (app("myapp:"), "apple.appLaunchURL"),
        (app("nowhere"), "apple.appLaunchURL"),
        ({"organisation": "Chez \ufffe"}, "organisation"),
        ({"description": {"fr": "Carte", "en": "Card \uffff"}}, "description.en"),
    ],
)
def test_a_version_of_which_no_card_could_be_signed_is_not_published(
    world: World, wrong: dict[str, Any], path: str
) -> None:
    holder = world.enrol()
    with pytest.raises(Invalid) as refused:
        publish(world, **wrong)
    assert [one for one in refused.value.faults if one.path.startswith(path)], refused.value.faults
    world.sell(holder, 1_000)
    world.work()
    assert "pass.json" in files_of(world, holder), "what stood before is served as before"
    with pytest.raises(Invalid):
        programs.create_programme(
            world.ctx, world.merchant.account_id, world.merchant.merchant_id, promising() | wrong, 1
        )


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("https://example.com/café", "https://example.com/caf%C3%A9"),
        ("https://müller.de/", "https://xn--mller-kva.de/"),
        ("HTTPS://example.com/", "https://example.com/"),
        ("https://example.com/a?b=c&d", "https://example.com/a?b=c&amp;d"),
    ],
)
def test_an_address_is_sent_in_letters_that_phones_take(world: World, written: str, sent: str) -> None:
    holder = world.enrol()
    publish(world, links={"website": written}, **app(written))
    files = files_of(world, holder)
    document = json.loads(files["pass.json"])
    said = files["pass.json"].decode() + files["fr.lproj/pass.strings"].decode("utf-16-be")
    assert sent in said.replace('\\"', '"')
    assert document["appLaunchURL"] == sent.replace("&amp;", "&")


def test_news_with_a_character_that_no_phone_shows_are_not_sent(world: World) -> None:
    with pytest.raises(Invalid) as refused:
        world.announce("Bonjour \ufffe")
    assert [one.path for one in refused.value.faults] == ["texts.fr"]


def test_a_name_with_such_a_character_keeps_nobody_from_the_news(world: World) -> None:
    holder = world.enrol(promotions=True, first_name="Ada\ufffe")
    world.announce("Bonjour @prénom")
    world.work()
    assert "Bonjour Ada" in files_of(world, holder)["pass.json"].decode()


def test_a_card_that_cannot_be_signed_is_no_fault_of_whoever_asks_for_it(world: World) -> None:
    """As one of a version that was published before all this was asked."""
    holder = world.enrol()
    with world.ctx.change() as tx:
        (text,) = tx.execute(sa.select(publications.c.card).where(publications.c.pass_id == holder.pass_id)).scalars()
        card = json.loads(text) | {"organisation": "Chez \ufffe"}
        tx.execute(sa.update(publications).values(card=json.dumps(card), number=2))
    with pytest.raises(Misconfigured, match="cannot be signed"):
        files_of(world, holder)
    with pytest.raises(Misconfigured, match="cannot be signed"):
        devices.fetch(world.ctx, PASS_TYPE, holder.serial, holder.token, None)
