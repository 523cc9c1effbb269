"""What Google would refuse of a programme is told when it is published, and not card by card afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.actions.programme.test_designing import POINTS, person
from tests.actions.purse.test_coupons import promising
from tests.conftest import NewDatabase
from tests.vendor import add_vendor
from tests.world import World, founded
from wallet_server.actions.operating import doctor
from wallet_server.actions.programme import designing, programs
from wallet_server.actions.vendors import google_limits
from wallet_server.errors import Invalid
from wallet_server.records.programme import programmes
from wallet_server.records.schema import accounts
from wallet_server.rules.programme.program import parse
from wallet_server.rules.programme.program_default import default_document


@pytest.fixture
def world(new_database: NewDatabase, tmp_path: Path) -> Iterator[World]:
    with founded(new_database("sqlite"), tmp_path, document=promising()) as made:
        yield made


def _named(world: World, name: str) -> None:
    """Who stands behind the programme, which Google wants to show."""
    with world.ctx.change() as tx:
        tx.execute(sa.update(accounts).values(name=name))


def _publish(world: World) -> None:
    document = default_document("Boulangerie") | {"description": {"fr": "Carte", "en": "Card"}}
    programs.publish_version(world.ctx, world.merchant, world.programme, document, world.wish("publish"))


def test_what_google_would_refuse_is_not_published_and_all_of_it_is_told(world: World) -> None:
    add_vendor(world)
    _named(world, "")
    with pytest.raises(Invalid, match="Google Wallet would refuse") as refused:
        _publish(world)
    assert refused.value.code == "invalid-card"
    assert [one.path for one in refused.value.faults] == ["google.loyaltyClass.issuerName"]
    assert {one.level for one in doctor._programmes(world.ctx)} >= {"error"}
    _named(world, "Claire SARL")
    _publish(world)


def test_the_vouchers_that_units_become_are_judged_without_a_welcome_coupon_too(world: World) -> None:
    add_vendor(world)
    _named(world, "")
    voucher = {"title": {"fr": "Bon", "en": "Voucher"}, "terms": {"fr": "Une fois.", "en": "Once."}, "value_minor": 500}
    conversion = {"id": "bon", "currency": "points", "units": 500, "voucher": voucher}
    programme = parse(default_document("Boulangerie") | {"conversions": [conversion]})
    with world.ctx.look() as tx:
        row = programmes.programme_in(tx, world.merchant, world.programme)
        found = google_limits.judge(world.ctx, tx, row.id, programme)
    assert "offerClass.issuerName" in {one.path for one in found.faults}


def test_without_an_issuer_at_google_nobody_asks(world: World) -> None:
    _named(world, "")
    _publish(world)
    with world.ctx.look() as tx:
        assert programmes.programme_in(tx, world.merchant, world.programme).version == 2


def test_texts_that_small_phones_cut_are_warned_of_in_every_status_and_on_the_coupon(world: World) -> None:
    add_vendor(world)
    long = "Une carte de fidélité qui est vraiment longue"
    programme = parse(promising() | {"description": {"fr": long, "en": long}, "organisation": "Boulangerie du Marché"})
    with world.ctx.look() as tx:
        row = programmes.programme_in(tx, world.merchant, world.programme)
        found = google_limits.judge(world.ctx, tx, row.id, programme)
    assert found.faults == ()
    said = {one.path: one for one in found.warnings}
    assert said["loyaltyClass.programName"].values == ("20", str(len(long)))
    assert "offerClass.provider" in said
    assert not [path for path in said if path.endswith("accountId")]
    told = [one for one in doctor._programmes(world.ctx) if one.level == "warning"]
    assert any("the name of the card" in one.sentence for one in told)
    assert not [one.sentence for one in told if "loyaltyClass" in one.sentence or "offerClass" in one.sentence]


def test_what_google_would_refuse_is_told_beside_the_field_of_the_form(world: World) -> None:
    add_vendor(world)
    marie = person(world)
    found = designing.desk(world.ctx, marie)
    drawn = designing.preview(world.ctx, marie.scope, POINTS, found.document, "fr", found.programme)
    assert "google" not in {one.code for one in drawn.reading.faults}
    _named(world, "")
    drawn = designing.preview(world.ctx, marie.scope, POINTS, found.document, "fr", found.programme)
    (told,) = [one for one in drawn.reading.faults if one.code == "google"]
    assert told.field == "name"
    assert told.values[0] == "le nom de votre entreprise"
    revision = designing.save(world.ctx, marie, POINTS, found.revision)
    with pytest.raises(Invalid, match="not right yet"):
        designing.publish(world.ctx, marie, revision, found.version)
