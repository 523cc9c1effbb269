"""What the interface answers to a card that it does not take, and to one that is to spend with a second proof."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from tests.actions.people.test_one_time import CLAIRE
from tests.conftest import whole_module_mostly_on
from tests.letterbox import Letterbox
from tests.tills import on_shift
from tests.world import Holder, World
from wallet_server.actions.keys import authenticate
from wallet_server.actions.people import leaving
from wallet_server.actions.programme import programs
from wallet_server.actions.programme.programs import NewStore
from wallet_server.records.people import contacts, members
from wallet_server.records.schema import ledger_entries
from wallet_server.rules.counter import codes, refusals

database_kind = whole_module_mostly_on("sqlite")


def ask(world: World, path: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> Any:
    answer = world.client().post(path, json=body, headers=headers or world.bearer(world.founded.till_key))
    return answer.status_code, answer.json


def older(world: World) -> Holder:
    """A member whose next issue a till has seen, with the code of the one before."""
    holder = world.enrol()
    world.sell(holder, 10_000)
    world.redeem(holder, 10)
    world.clock.forward(minutes=11)
    world.sell(world.holder(holder.pass_public_id), 1_000)
    return holder


def refused(world: World) -> dict[str, str]:
    """A text to scan for each of the six refusals."""
    cancelled, over = world.enrol(), world.enrol()
    leaving.cancel(world.ctx, world.merchant, cancelled.member, cancelled.pass_public_id)
    path, headers = f"/v1/members/{over.member}/passes/{over.pass_public_id}", world.bearer(world.founded.merchant_key)
    for until in ("2020-01-01T00:00:00Z", None, world.clock().isoformat()):
        answer = world.client().put(f"{path}/end", json={"good_until": until}, headers=headers)
        assert (answer.status_code, answer.get_json()["pass"]) == (200, over.pass_public_id)
    marks = [
        authenticate(world.ctx, programs.found(world.ctx, "Autre", NewStore("Nord"), test=test).till_key).issuer_mark
        for test in (False, True)
    ]
    other, trying, own = (codes.write(codes.first(mark, "0" * 16)) for mark in (*marks, world.till.issuer_mark))
    return {
        "other-merchant": other,
        "revoked-card": cancelled.code,
        "expired-card": over.code,
        "test-card": trying,
        "unknown-card": own,
        "unreadable-code": own[:-1],
    }


def test_the_six_refusals_have_each_a_code_a_sentence_and_nothing_else(world: World) -> None:
    texts = refused(world)
    assert tuple(texts) == refusals.CARDS
    sentences = set()
    for code, text in texts.items():
        for language in ("fr", "en"):
            status, told = ask(world, "/v1/lookups", {"code": text, "language": language})
            assert (status, told["code"]) == (
                {"unreadable-code": 400}.get(code, 409 if "d-card" in code else 404),
                code,
            )
            assert told["sentence"] == refusals.said(code, language, {})
            assert set(told) == {"type", "title", "status", "code", "request_id", "field", "sentence"}
            sentences.add(told["sentence"])
        sale = {"code": text, "receipt": f"r-{code}", "amount_minor": 100, "currency": "EUR"}
        assert ask(world, "/v1/sales", sale)[1]["code"] == code
    assert len(sentences) == 12


@pytest.mark.parametrize(
    "text",
    [
        "@\n\x1e\rANSI 636014040002DL00410288ZA03290015DLDAQD12345678",
        "M1DESMARAIS/LUC       EABC123 YULFRAAC 0834 226F001A0025 100\n",
        "https://example.com/" + "x" * 3000,
        "\x00",
    ],
    ids=["licence", "boarding", "address", "nothing"],
)
def test_whatever_else_people_hold_before_a_camera_is_a_code_that_cannot_be_read(world: World, text: str) -> None:
    assert ask(world, "/v1/lookups", {"code": text})[1]["code"] == "unreadable-code"


@pytest.mark.parametrize("path", ["/v1/redemptions", "/v1/holds"])
def test_an_older_card_spends_with_the_word_of_a_cashier(world: World, path: str) -> None:
    holder = older(world)
    _, anna = on_shift(world, "Anna")
    wanted = {"code": holder.code, "amount": 5, "reference": "9"}
    status, told = ask(world, path, wanted, anna)
    assert (status, told["code"], told["proofs"]) == (409, "second-proof-needed", ["cashier"])
    proof = {"proof": {"kind": "cashier"}}
    assert ask(world, path, wanted | proof)[1]["code"] == "cashier-needed"
    status, told = ask(world, path, wanted | proof, anna)
    assert (status, told["balances"]["points"]) == (200, 95)
    with world.ctx.look() as tx:
        newest = sa.select(ledger_entries.c.params).order_by(ledger_entries.c.id.desc()).limit(1)
        assert tx.execute(newest).scalar_one()["proof"] == "cashier"
    again = ask(world, path, wanted, anna)[1]
    assert told["sentence"] in again["sentence"], "the same request sent again is answered the same, and says so"
    assert {**again, "sentence": ""} == {**told, "sentence": ""}


def test_an_older_card_spends_with_a_code_that_its_member_was_sent(world: World) -> None:
    holder, box = older(world), Letterbox()
    world.ctx.channels = {"email": box}
    assert ask(world, "/v1/proofs", {"code": holder.code})[1]["code"] == "not-reachable"
    with world.ctx.change() as tx:
        programme = members.members_by_id(tx, [holder.member_id])[holder.member_id].programme_id
        contacts.prove(tx, programme, holder.member_id, CLAIRE.kind, CLAIRE.value, world.clock.at)
    status, told = ask(world, "/v1/proofs", {"code": holder.code, "language": "fr"})
    assert (status, told["kind"]) == (200, "email")
    assert told["sentence"] == f"Un code a été envoyé par e-mail à {told['to']}."
    world.carried()
    wanted = {"code": holder.code, "amount": 5, "reference": "9"}
    assert ask(world, "/v1/redemptions", wanted)[1]["proofs"] == ["code"]
    for bad in ({"kind": "code"}, {"kind": "cashier", "value": "123456"}, {"kind": "word"}):
        assert ask(world, "/v1/redemptions", wanted | {"proof": bad})[0] == 422
    proof = {"kind": "code", "value": box.code}
    assert ask(world, "/v1/redemptions", wanted | {"proof": proof})[1]["balances"]["points"] == 95
