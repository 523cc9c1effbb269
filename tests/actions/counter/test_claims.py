"""A sale of somebody without a card is kept, and claimed once by the code on the receipt, as at its own time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.conftest import mostly_on
from tests.offline_world import entries, points
from tests.world import NOON, World, together
from wallet_server.actions.counter.claims import WRONG_AT_TILL
from wallet_server.actions.operating import upkeep
from wallet_server.actions.people import enrol
from wallet_server.actions.programme import programs
from wallet_server.rules.counter import short_codes
from wallet_server.rules.programme.program_default import default_document


def send(world: World, path: str, body: dict[str, Any], *, key: str = "", method: str = "POST") -> Any:
    headers = world.bearer(key or world.founded.till_key)
    return world.client().open(path, method=method, json=body, headers=headers)


def keep(world: World, receipt: str = "R1", amount_minor: int = 1200, **more: Any) -> Any:
    body = {"receipt": receipt, "currency": "EUR", "amount_minor": amount_minor}
    return send(world, "/v1/sales", body | more)


def test_a_sale_of_nobody_is_claimed_once_and_earns_by_the_version_and_time_of_its_own(world: World) -> None:
    holder, other = world.enrol(), world.enrol()
    dated = {"occurred_at": NOON.isoformat()}
    kept = keep(world, **dated)
    assert kept.status_code == 202
    sale, code = kept.get_json()["id"], kept.get_json()["claim_code"]
    assert code in kept.get_json()["sentence"]
    again = keep(world, **dated)
    assert again.status_code == 202, again.get_data(as_text=True)
    assert again.headers["Idempotency-Replayed"] == "true"
    said = kept.get_json()["sentence"]
    assert again.get_json() == kept.get_json() | {"sentence": f"Already done at 13:00: {said}"}
    assert keep(world, amount_minor=1300, **dated).status_code == 422, "the receipt stands for another sale"
    document = default_document("Boulangerie")
    document["earn"][0]["per"]["points"] = 5
    programs.publish_version(world.ctx, world.merchant, world.programme, document, world.wish("publish"))
    world.clock.forward(days=3)
    body = {"code": holder.code, "claim": code.lower().replace("-", " ")}
    claimed = send(world, "/v1/claims", body)
    assert (claimed.status_code, claimed.get_json()["balances"]["points"]) == (200, 12)
    assert entries(world) == [("R1", NOON)]
    replayed = send(world, "/v1/claims", body)
    assert (replayed.headers["Idempotency-Replayed"], replayed.get_json()["id"]) == ("true", claimed.get_json()["id"])
    late = send(world, "/v1/claims", body | {"code": other.code})
    assert (late.status_code, late.get_json()["code"]) == (409, "claim-used")
    assert keep(world, **dated).get_json()["claim_code"] is None
    ended = send(world, f"/v1/claims/{sale}", {}, method="DELETE")
    assert (ended.status_code, ended.get_json()["sale"]) == (409, claimed.get_json()["id"])
    undone = send(world, f"/v1/sales/{claimed.get_json()['id']}/reversal", {})
    assert (undone.status_code, points(world, holder)) == (200, 0)
    untrue = send(world, "/v1/claims", body)
    assert (untrue.status_code, untrue.get_json()["code"]) == (409, "sale-undone"), "it earns nothing any more"
    assert upkeep.book_faults(world.ctx) == []


def test_of_two_who_claim_at_once_one_has_it(world: World) -> None:
    holders, second = [world.enrol(), world.enrol()], world.second_till()
    code = keep(world).get_json()["claim_code"]
    tills = [world.founded.till_key, second]
    calls = [
        lambda n=n: send(world, "/v1/claims", {"code": holders[n].code, "claim": code}, key=tills[n]).status_code
        for n in (0, 1)
    ]
    assert sorted(together(*calls)) == [200, 409]
    assert sorted(points(world, one) for one in holders) == [0, 12]


@mostly_on("sqlite")
def test_a_claim_runs_out_ends_with_the_goods_and_counts_wrong_guesses(world: World) -> None:
    holder = world.enrol()
    first, second = (keep(world, receipt).get_json() for receipt in ("R1", "R2"))
    for _ in range(2):
        ended = send(world, f"/v1/claims/{first['id']}?language=fr", {}, method="DELETE")
        assert (ended.status_code, ended.get_json()["sentence"]) == (200, "Cette vente n’attend plus personne.")
    over = send(world, "/v1/claims", {"code": holder.code, "claim": first["claim_code"]})
    assert (over.status_code, over.get_json()["code"]) == (409, "claim-over")
    world.clock.forward(days=30)
    over = send(world, "/v1/claims", {"code": holder.code, "claim": second["claim_code"]})
    assert (over.status_code, over.get_json()["code"]) == (409, "claim-over")
    typo = send(world, "/v1/claims", {"code": holder.code, "claim": "AAAA-AAAA-A1"})
    assert (typo.status_code, typo.get_json()["code"]) == (400, "bad-claim")
    third = keep(world, "R3").get_json()
    for number in range(WRONG_AT_TILL):
        wrong = send(world, "/v1/claims", {"code": holder.code, "claim": short_codes.manual(number)})
        assert (wrong.status_code, wrong.get_json()["code"]) == (404, "unknown-claim")
    right = {"code": holder.code, "claim": third["claim_code"]}
    assert send(world, "/v1/claims", right).status_code == 429
    world.clock.forward(minutes=10)
    assert send(world, "/v1/claims", right).status_code == 200


@mostly_on("sqlite")
def test_what_a_sale_of_nobody_cannot_have(world: World) -> None:
    used = keep(world, apply_deals=True)
    assert (used.status_code, used.get_json()["code"]) == (400, "needs-card")
    foreign = send(world, "/v1/sales", {"receipt": "R2", "currency": "USD", "amount_minor": 100})
    assert (foreign.status_code, foreign.get_json()["code"]) == (400, "wrong-currency")
    assert keep(world, "R3", -100).get_json()["code"] == "negative-sale"
    practised = world.client().post(
        "/v1/sales",
        json={"receipt": "R4", "currency": "EUR", "amount_minor": 100},
        headers={**world.bearer(world.founded.till_key), "X-Training": "1"},
    )
    assert practised.get_json()["claim_code"]
    code = practised.get_json()["claim_code"]
    holder = world.enrol()
    assert send(world, "/v1/claims", {"code": holder.code, "claim": code}).status_code == 404


@mostly_on("sqlite")
def test_a_member_claims_on_the_page_of_the_card(world: World) -> None:
    holder, client = world.enrol(), world.client()
    path = enrol.card_link(world.ctx, holder.pass_public_id).removeprefix(world.ctx.settings.base_url)
    sold = world.clock() - timedelta(hours=2)
    code = keep(world, occurred_at=sold.isoformat()).get_json()["claim_code"]
    assert f"{path}/claim" in client.get(path).get_data(as_text=True)
    assert client.get("/card/nobody.k1.00/claim").status_code == 404

    def claim(text: str, tongue: str = "en") -> tuple[int, str]:
        answer = client.post(f"{path}/claim?lang={tongue}", data={"claim": text})
        return answer.status_code, answer.get_data(as_text=True)

    status, page = claim("AAAA-AAAA-A1", "fr")
    assert status == 422
    assert "Un caractère est faux." in page
    assert 'aria-describedby="claim-fault"' in page
    assert claim(short_codes.manual(7))[0] == 404
    status, page = claim(f" {code.lower()} ")
    assert status == 200
    assert "12 points" in page
    assert "was counted for you before" in claim(code)[1]
    assert entries(world) == [("R1", sold)]
    other = world.enrol()
    theirs = enrol.card_link(world.ctx, other.pass_public_id).removeprefix(world.ctx.settings.base_url)
    assert client.post(f"{theirs}/claim", data={"claim": code}).status_code == 409
    assert [claim(code)[0] for _ in range(5)][-1] == 429
