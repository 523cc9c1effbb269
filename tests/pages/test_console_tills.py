"""The console's pages about the tills' people: PINs, keys, and what looks odd there, for each role."""

from __future__ import annotations

import re
from typing import Any

from flask.testing import FlaskClient

from tests.pages.console import sign_in
from tests.pages.house import House
from wallet_server.actions import keys
from wallet_server.actions.staff import ROLES, team
from wallet_server.records.counter import shifts
from wallet_server.rules.counter import watching


def text_of(client: FlaskClient, path: str) -> str:
    return client.get(path).get_data(as_text=True)


def _colleagues(house: House) -> dict[str, str]:
    scope = keys.authenticate(house.ctx, house.shop.merchant_key)
    with house.ctx.look() as tx:
        return {row.name: row.public_id for row in shifts.people(tx, scope, ("owner", "cashier"))}


def _shift(house: House, person: str, pin: str, **more: str) -> Any:
    headers = {"Authorization": f"Bearer {house.shop.till_key}"}
    body = {"pin": pin, **more}
    return house.app.test_client().post(f"/v1/cashiers/{person}/shift", json=body, headers=headers)


def test_an_owner_gives_a_pin_and_its_person_chooses_another(house: House) -> None:
    owner, cashier = house.app.test_client(), house.app.test_client()
    token, own = sign_in(owner, house), sign_in(cashier, house, "cashier")
    them = _colleagues(house)["Cashier"]
    weak = owner.post(f"/console/team/{them}/pin", data={"csrf": token, "pin": "1234"})
    assert (weak.status_code, "Others would guess this PIN" in weak.get_data(as_text=True)) == (400, True)
    assert owner.post(f"/console/team/{them}/pin", data={"csrf": token, "pin": "5093"}).status_code == 303
    assert "Owner chose a PIN for Cashier" in text_of(owner, "/console/team")
    assert _shift(house, them, "5093").json["code"] == "pin-change-needed"
    assert cashier.post("/console/account/pin", data={"csrf": own, "pin": "8164"}).status_code == 303
    assert _shift(house, them, "8164").status_code == 200
    assert cashier.post(f"/console/team/{them}/pin", data={"csrf": own, "pin": "5093"}).status_code == 403


def test_a_key_is_made_replaced_and_ended_and_its_secret_shown_once(client: FlaskClient, house: House) -> None:
    token = sign_in(client, house)
    made = client.post("/console/keys", data={"csrf": token, "label": "Boutique en ligne", "scopes": ["read"]})
    secret = re.search(r"<code class=\"secret\">([^<]+)<", made.get_data(as_text=True))
    assert secret
    key = secret.group(1)
    assert keys.authenticate(house.ctx, key).scopes == {"read"}
    page = text_of(client, "/console/keys")
    assert ("Boutique en ligne" in page, key.partition(".")[2] in page) == (True, False)
    path = f"/console/keys/{key.partition('.')[0]}"
    replaced = client.post(f"{path}/rotation", data={"csrf": token, "hours": "24"}).get_data(as_text=True)
    successor = re.search(r"<code class=\"secret\">([^<]+)<", replaced)
    assert successor
    assert keys.authenticate(house.ctx, key).scopes == keys.authenticate(house.ctx, successor.group(1)).scopes
    assert client.post(f"{path}/end", data={"csrf": token}).status_code == 303
    assert key.partition(".")[0] not in text_of(client, "/console/keys")
    assert client.post("/console/keys", data={"csrf": token, "label": "", "scopes": ["read"]}).status_code == 400
    assert client.post("/console/keys", data={"csrf": token, "label": "x"}).status_code == 400


def test_an_auditor_reads_and_finds_nothing_to_press(client: FlaskClient, house: House) -> None:
    sign_in(client, house, "auditor")
    member = house.member(first_name="Clairette")
    member.buy("auditor-1", 1000)
    seen = ("today", "card", "announce", "tills", "keys", "team", "watch", "certificates", "books", "more")
    for path in [f"/console/{name}?lang={tongue}" for name in seen for tongue in ("en", "fr")]:
        answer = client.get(path)
        page = answer.get_data(as_text=True)
        assert (answer.status_code, "Clairette" in page) == (200, False), path
        pressed = re.findall(r"<form[^>]*method=\"?post\"?[^>]*action=\"([^\"]+)\"", page)
        shell = ("/console/language", "/console/sign-out")
        assert [action for action in pressed if not action.endswith(shell)] == [], path
    who = house.call("/v1/lookups", {"code": member.card.code})["member"]
    for path in ("members", f"members/{who}", "tickets", "poster", "what-if"):
        assert client.get(f"/console/{path}").status_code == 403, path


def test_whoever_is_invited_reads_as_what(client: FlaskClient, house: House) -> None:
    with house.ctx.look() as tx:
        merchant = tx.exec_driver_sql("SELECT public_id FROM merchants ORDER BY id LIMIT 1").scalar_one()
    said = set()
    for role in ROLES:
        link = team.invite_by_operator(house.ctx, merchant, role)
        page = text_of(house.app.test_client(), f"/invite/{link.rsplit('/', 1)[1]}?lang=en")
        said |= set(re.findall(r"You are invited[^<]*", page))
    assert len(said) == len(ROLES)


def test_a_cashier_sees_no_campaign_and_how_much_they_gave(client: FlaskClient, house: House) -> None:
    sign_in(client, house, "cashier")
    page = text_of(client, "/console/today")
    assert "You made 0 gestures this week." in page
    assert "/console/announce" not in page
    assert client.get("/console/announce").status_code == 403


def test_what_looks_odd_is_told_from_the_number_that_the_owner_chose(client: FlaskClient, house: House) -> None:
    token = sign_in(client, house)
    member = house.member()
    for number in range(4):
        member.buy(f"S{number}", 1000)
    # Others of this house have been at the tills, too: whatever they did is to stay below the numbers.
    high = {"csrf": token, **dict.fromkeys(watching.PATTERNS, str(watching.MOST))}
    assert client.post("/console/watch", data=high).status_code == 303
    assert "Nothing looks odd." in text_of(client, "/console/watch")
    assert "odd at the tills" not in text_of(client, "/console/today")
    for wrong in ("0", "x", "1001", "²"):
        refused = client.post("/console/watch", data={"csrf": token, "scans": wrong})
        assert (refused.status_code, "Write a whole number" in refused.get_data(as_text=True)) == (400, True), wrong
    assert client.post("/console/watch", data=high | {"scans": "4"}).status_code == 303
    assert "was counted 4 times in a day." in text_of(client, "/console/watch")
    assert "odd at the tills today." in text_of(client, "/console/today")
    assert client.post("/console/watch", data={"csrf": token}).status_code == 303, "as the product has it"
    assert "was counted 4 times in a day." not in text_of(client, "/console/watch")
