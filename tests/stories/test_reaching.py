"""A card that is lost, a card without a name, a card of plastic: each finds its owner, with everything on it."""

from __future__ import annotations

import random
import re
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPRedirectHandler, Request, build_opener

from tests.conftest import mostly_on
from tests.stories.stage import Stage, balance, shown
from wallet_server.actions.people import enrol

WITH_GOOGLE = WITH_LETTERS = True
pytestmark = mostly_on("sqlite", stage=True)
CARDS, KNOWN = 1000, 24


class _Stays(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _form(stage: Stage, path: str, **fields: str) -> tuple[int, str, str]:
    """As a browser sends a form: (status, page, where it leads)."""
    sent = urlencode(fields).encode()
    request = Request(f"{stage.base}{path}", sent, {"Accept-Language": "en"})  # noqa: S310
    try:
        with build_opener(_Stays).open(request, timeout=30) as got:
            return got.status, got.read().decode(), ""
    except HTTPError as answer:
        return answer.code, answer.read().decode(), answer.headers.get("Location", "")


def _code(stage: Stage, to: str, after: int = 0) -> str:
    """The code in the newest letter to this address, once it has come."""
    stage.until(lambda: len(stage.boxes.letters(to)) > after, f"a letter to {to}")
    found = re.search(r"\b(\d{6})\b", stage.boxes.letters(to)[-1].text)
    assert found
    return found[1]


def _reached(stage: Stage, member: dict[str, Any], to: str, **said: object) -> dict[str, Any]:
    """The member's address is proved by the code that came there."""
    before = len(stage.boxes.letters(to))
    put = stage.merchant("PUT", f"/v1/members/{member['member']}/contacts", said)
    assert put.status == 200, put
    path = f"/v1/members/{member['member']}/contacts/verify"
    proved = stage.merchant("POST", path, {"code": _code(stage, to, before), "join": True})
    assert proved.status == 200, proved
    return dict(proved.body)


def _seen(stage: Stage, code: str) -> Any:
    answer = stage.call("POST", "/v1/lookups", {"code": code}, stage.facts["till_key"])
    assert answer.status == 200, answer
    return answer.body


def _burn(stage: Stage, code: str, amount: int) -> Any:
    body = {"code": code, "amount": amount, "reference": f"B{next(stage.receipts)}"}
    return stage.call("POST", "/v1/redemptions", body, stage.facts["till_key"])


def _recovered(stage: Stage, typed: str, to: str) -> dict[str, str]:
    """A new card by a code that comes to this address: its links."""
    before = len(stage.boxes.letters(to))
    known, stranger = (_form(stage, "/recover/letter", address=one) for one in (typed, "nobody@example.com"))
    assert known[0] == stranger[0] == 200
    status, _, where = _form(stage, "/recover/letter/code", address=typed, code=_code(stage, to, before))
    assert status == 303
    card = re.search(r"/card/(pass_[^.]+)\.[^?]+", where)
    assert card
    return {"download_url": enrol.download_link(stage.ctx, card[1]), "card_url": f"{stage.base}{card[0]}"}


def test_a_lost_phone_gives_way_to_a_new_one_and_the_old_card_earns_but_burns_nothing(stage: Stage) -> None:
    member = stage.enrol()
    lost, android = stage.phone(member), stage.android(member)
    old = stage.code(lost)
    stage.sell(old, 3000)
    _reached(stage, member, "claire@example.com", email="Claire@Example.com")
    fresh = _recovered(stage, "claire@example.com", "claire@example.com")
    assert not stage.boxes.letters("nobody@example.com")

    phone, other = stage.phone(fresh), stage.android(fresh)
    assert shown(phone, "points") == balance(other) == 30
    stage.until(lambda: all(card.file.voided for card in lost.cards.values()), "the lost phone shows that it is over")
    assert _seen(stage, old)["member"] == member["member"], "it identifies"
    assert stage.sell(old, 500).status == 200, "and earns"
    refused = _burn(stage, old, 5)
    assert (refused.status, refused.body["code"]) == (409, "replaced-card")
    assert _burn(stage, stage.code(phone), 5).status == 200
    stage.until(lambda: shown(phone, "points") == balance(other) == 30, "both phones show what is left")
    assert android.cards

    _reached(stage, member, "+33612345678", phone="06 12 34 56 78")
    again = _recovered(stage, "+33 6 12 34 56 78", "+33612345678")
    assert shown(stage.phone(again), "points") == 30
    assert stage.book_faults() == []


def test_an_anonymous_member_gives_an_address_later_and_two_cards_become_one(stage: Stage) -> None:
    first, second = stage.enrol(), stage.enrol()
    phone, other = stage.phone(first), stage.phone(second)
    stage.sell(stage.code(phone), 1200)
    page = first["card_url"].removeprefix(stage.base)
    status, told, _ = _form(stage, f"{page}/reach", address="ada@example.com")
    assert (status, "a•••@example.com" in told) == (200, True)
    status, told, _ = _form(stage, f"{page}/reach/code", code=_code(stage, "ada@example.com"))
    assert (status, "is confirmed" in told) == (200, True)
    stage.until(lambda: shown(phone, "points") == 12, "the balance is kept")
    stage.sell(stage.code(other), 800)

    joined = _reached(stage, second, "ada@example.com", email="ada@example.com")

    assert (joined["merged"], joined["moved"]["points"]) == (first["member"], 12)
    assert {_seen(stage, stage.code(one))["member"] for one in (phone, other)} == {second["member"]}
    stage.until(lambda: shown(phone, "points") == shown(other, "points") == 20, "both phones show everything")
    again = stage.merchant("POST", f"/v1/members/{second['member']}/merge", {"merged": first["member"]})
    assert (again.status, again.body["code"]) == (409, "same-member")
    assert stage.book_faults() == []


def test_a_thousand_old_cards_find_their_owners_or_a_person_who_decides(stage: Stage) -> None:
    dice = random.Random(7)
    members, phones = [], []
    for number in range(KNOWN):
        members.append(stage.enrol(first_name=f"Anna{'abcdefgh'[number % 8]}"))
        said = {"name": f"Bertrand{chr(97 + number)}el", "send": False}
        said |= {"address": f"{number + 1} avenue de la République Lyon", "postcode": f"69{number:03d}"}
        put = stage.merchant("PUT", f"/v1/members/{members[-1]['member']}/contacts", said)
        assert put.status == 200, put
    phones.append(stage.phone(members[0]))
    text = _file(dice)
    looked = stage.merchant("POST", "/v1/card-imports/preview", {"programme": stage.facts["programme"], "text": text})
    assert looked.status == 200, looked

    made = stage.merchant("POST", "/v1/card-imports", {"programme": stage.facts["programme"], "text": text})

    assert made.status == 200, made
    path = f"/v1/card-imports/{made.body['id']}"

    def told() -> Any:
        return stage.call("GET", path, None, stage.facts["merchant_key"]).body

    stage.until(lambda: told()["done"], "every line was worked", 120)
    counts = told()["counts"]
    assert told()["lines"] == CARDS
    assert counts == {"waiting": 0, "known": 0, **_wanted(), "points": counts["points"]}
    assert {name: looked.body["counts"][name] for name in _wanted()} == _wanted()
    assert _seen(stage, "PL0000")["member"] == members[0]["member"] == _seen(stage, stage.code(phones[0]))["member"]
    earned = stage.sell("PL0000", 1000)
    assert earned.body["balances"]["points"] == 110
    stage.until(lambda: shown(phones[0], "points") == 110, "the phone shows what was bought with plastic")
    _settle(stage, made.body["id"], members)
    assert stage.book_faults() == []


def _file(dice: random.Random) -> str:
    """A third of the known members with a typing error in the address, a third as another person of the house, and
    strangers; 20 lines that nobody can read."""
    lines = ["card;first name;last name;address;postcode;city;points"]
    for number in range(CARDS):
        who, code = number % KNOWN, f"{number % KNOWN:03d}"
        name, street = f"Bertrand{chr(97 + who)}el", f"{who + 1} av. de la Republique"
        if number < KNOWN // 3:
            lines.append(f"PL{number:04d};Anna{'abcdefgh'[who % 8]};{name};{street};69{code};Lyon;100")
        elif number < 2 * KNOWN // 3:
            lines.append(f"PL{number:04d};Andre;{name};{street};69{code};Lyon;100")
        elif number >= CARDS - 20:
            lines.append(dice.choice([";No;Number;;;;", "PL0001;Twice;Card;;;;", "#!;Bad;Number;;;;", "PLX9;A;B;;;;x"]))
        else:
            lines.append(
                f"PL{number:04d};Zoe;Stranger{number};{number} quai {number};13{number % 1000:03d};Arles;{number % 9}"
            )
    return "\n".join(lines) + "\n"


def _wanted() -> dict[str, int]:
    third = KNOWN // 3
    return {"linked": third, "doubtful": third, "dirty": 20, "made": CARDS - 20 - 2 * third}


def _settle(stage: Stage, import_id: str, members: list[dict[str, Any]]) -> None:
    """A person looks at the doubtful ones: the first is the same, the second somebody else."""
    path = f"/v1/card-imports/{import_id}/lines"
    lines = stage.call("GET", path, None, stage.facts["merchant_key"]).body["lines"]
    assert len(lines) == KNOWN // 3
    first, second = lines[0], lines[1]
    assert first["candidates"][0]["member"] in {one["member"] for one in members}
    same = stage.merchant("POST", f"{path}/{first['line']}", {"member": first["candidates"][0]["member"]})
    assert same.body["member"] == first["candidates"][0]["member"]
    assert stage.merchant("POST", f"{path}/{second['line']}", {"member": None}).body["state"] == "made"
    assert _seen(stage, first["number"])["member"] == same.body["member"]
    left = stage.call("GET", path, None, stage.facts["merchant_key"]).body["lines"]
    assert len(left) == KNOWN // 3 - 2
    dirty = stage.call("GET", f"{path}?state=dirty", None, stage.facts["merchant_key"]).body["lines"]
    assert {one["why"] for one in dirty} <= {"no-number", "twice", "bad-number", "bad-points"}
    assert len(dirty) == 20
