"""A card that is over stops asking for ever: its phones show so once, and no request of it is seen again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa

from tests.conftest import mostly_on
from tests.stories.stage import Stage, of_google
from wallet_server.actions.people import recovery
from wallet_server.records.schema import members, passes
from wallet_server.sandbox.phones.phone import Phone

WITH_GOOGLE = True
pytestmark = mostly_on("sqlite", stage=True)


def replaced(stage: Stage, member: dict[str, Any]) -> None:
    link = stage.ctx.link("recover", member["pass"]).rsplit("/", 1)[1]
    recovery.by_link(stage.ctx, link, f"form of {member['member']}")


def cancelled(stage: Stage, member: dict[str, Any]) -> None:
    with stage.ctx.look() as tx:
        both = sa.select(passes.c.public_id).join(members).where(members.c.public_id == member["member"])
        copies = list(tx.execute(both).scalars())
    for copy in copies:
        answer = stage.merchant("DELETE", f"/v1/members/{member['member']}/passes/{copy}")
        assert answer.status == 200, answer


def left(stage: Stage, member: dict[str, Any]) -> None:
    assert stage.merchant("DELETE", f"/v1/members/{member['member']}").status == 200


@dataclass
class Traffic:
    """What the phone and the push service did of late."""

    stage: Stage
    phone: Phone

    def now(self) -> tuple[int, int]:
        asked = sum(event.kind in ("list", "get", "register", "unregister", "head") for event in self.phone.events)
        return asked, self.stage.apns.counts.accepted


@pytest.mark.parametrize("end", [replaced, cancelled, left])
def test_the_phone_of_a_card_that_is_over_never_asks_again(
    stage: Stage, end: Callable[[Stage, dict[str, Any]], None]
) -> None:
    member = stage.enrol()
    phone, android = stage.phone(member), stage.android(member)
    (key,) = phone.cards
    stage.sell(stage.code(phone), 1000)
    stage.until(lambda: len(phone.lock_screen) == len(android.lock_screen) == 1, "the sale was shown")
    token, base = phone.cards[key].file.token, phone.cards[key].file.web_service
    before = stage.apns.counts.accepted

    end(stage, member)

    stage.until(lambda: phone.cards[key].file.voided, "the phone shows that the card is over")
    document = phone.cards[key].file.document
    assert "webServiceURL" not in document
    assert "authenticationToken" not in document
    stage.until(lambda: of_google(android)["state"] != "ACTIVE", "and so does the Android phone")
    assert len(phone.lock_screen) == len(android.lock_screen) == 1, "without a sound"
    assert not of_google(android).get("messages")
    written = stage.google.writes[of_google(android)["id"]]
    stage.until(lambda: stage.apns.counts.accepted == before + 1, "rung once")

    # For good: whatever wakes it, this phone sends nothing about this card, and is sent nothing.
    traffic = Traffic(stage, phone)
    still = traffic.now()
    stage.run(stage.fleet.push(phone.push_token, key[0]))
    stage.run(phone.reboot())
    stage.run(phone.pull_to_refresh(key))
    stage.run(stage.fleet.settle())
    assert traffic.now() == still
    assert stage.google.writes[of_google(android)["id"]] == written, "Google hears no more of it either"

    # And one that asks all the same, as an old iOS may, is refused, and is named in no list from then on.
    assert base is not None
    path = f"{base.removeprefix(stage.base)}/v1"
    listing = f"{path}/devices/{phone.device_id}/registrations/{key[0]}"
    assert stage.call("GET", listing).status == 200, "nobody knows yet that the answer arrived"
    known = {"Authorization": f"ApplePass {token}", "If_Modified_Since": str(phone.cards[key].last_modified)}
    assert stage.call("GET", f"{path}/passes/{key[0]}/{key[1]}", **known).status == 401
    assert stage.call("GET", listing).status == 204
