"""Owns what is known about the console's page of tills without a network: what waits for a person, and how it is
settled."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.offline_till import OfflineTill
from tests.pages.console import sign_in
from tests.pages.house import House

PATH = "/console/offline"


@dataclass(frozen=True)
class Wire:
    """The house, as the device of a till speaks to it."""

    house: House
    programme: str = ""

    def clock(self) -> datetime:
        return datetime.now(UTC)

    def client(self) -> Any:
        return self.house.app.test_client()

    def bearer(self, key: str) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {key}"}


def trouble(house: House, number: str) -> tuple[str, str, str]:
    """A sale and a redemption of the stranger's shop that a person has to settle: their ids, and the member."""
    member, device = house.member(house.stranger), OfflineTill(Wire(house), house.stranger.till_key)
    code = member.card.code
    device.redeem(code, f"B{number}", 1, None)
    device.sell(code, f"R{number}", 500)
    device.sell(code, f"R{number}", 700)
    found = device.send(device.queue)["results"]
    assert [one["why"] for one in found] == ["burns-not-offline", None, "receipt-taken"]
    with house.ctx.look() as tx:
        rows = tx.exec_driver_sql("SELECT public_id FROM members ORDER BY id DESC LIMIT 1").all()
    return found[0]["id"], found[2]["id"], str(rows[0][0])


def article(page: TestResponse, event: str) -> str:
    """What the page says of one."""
    found = re.search(rf'<article class="tile" id="{event}".*?</article>', page.get_data(as_text=True), re.DOTALL)
    return found[0] if found else ""


def test_an_owner_settles_and_everybody_else_reads_or_stays_out(client: FlaskClient, house: House) -> None:
    burned, taken, member = trouble(house, "1")
    assert client.get(PATH).status_code == 303
    sign_in(client, house, "marketer", house.stranger.merchant_key)
    assert client.get(PATH).status_code == 403
    reader = house.app.test_client()
    token = sign_in(reader, house, "auditor", house.stranger.merchant_key)
    shown = article(reader.get(PATH), burned)
    assert member in shown
    assert "<form" not in shown
    assert "/console/members/" not in shown
    assert reader.post(f"{PATH}/{burned}", data={"csrf": token, "decision": "accept"}).status_code == 403
    outsider = house.app.test_client()
    token = sign_in(outsider, house)
    assert not article(outsider.get(PATH), burned), "another shop's"
    assert outsider.post(f"{PATH}/{burned}", data={"csrf": token, "decision": "refuse"}).status_code == 400

    owner = house.app.test_client()
    token = sign_in(owner, house, "owner", house.stranger.merchant_key)
    french = article(owner.get(f"{PATH}?lang=fr"), taken)
    assert "Vente R1 · 7,00" in french.replace("\u00a0", " ")
    assert "La vente est faite." in french, "of a sale no goods are owed"
    assert "La vente est faite." not in article(owner.get(f"{PATH}?lang=fr"), burned)
    assert "Ce numéro de ticket est celui d’une autre vente." in french
    assert f"/console/members/{member}" in french

    def press(event: str, decision: str, note: str = "") -> TestResponse:
        form = {"csrf": token, "decision": decision, "note": note}
        return owner.post(f"{PATH}/{event}", data=form)

    assert "Write the note first." in press(burned, "note").get_data(as_text=True)
    assert press(burned, "note", "<b>asked</b> Ana").status_code == 303
    assert "&lt;b&gt;asked&lt;/b&gt; Ana" in article(owner.get(PATH), burned)
    done = press(burned, "accept", "asked Ana")
    assert "It is counted." in owner.get(done.headers["Location"]).get_data(as_text=True)
    assert press(taken, "refuse").status_code == 303
    again = press(taken, "accept")
    assert again.status_code == 400
    assert "Somebody else has settled this already." in again.get_data(as_text=True)
    page = owner.get(PATH).get_data(as_text=True)
    assert "counted by Owner" in page
    assert "refused by Owner" in page
    journal = owner.get("/console/team").get_data(as_text=True)
    assert "Owner had something counted that a till had done without a network." in journal
    assert "Owner refused something that a till had done without a network." in journal
