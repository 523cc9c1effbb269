"""A sale at the till, and what the phones show a moment later: an iPhone, and an Android phone with the same card."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.stories.stage import Stage, balance, of_google, shown
from wallet_server.rules.counter import codes
from wallet_server.sandbox.google import AndroidPhone

WITH_GOOGLE = True


def test_a_sale_shows_on_the_phone_and_says_so(stage: Stage) -> None:
    member = stage.enrol()
    phone, android = stage.phone(member), stage.android(member)
    assert (shown(phone, "points"), balance(android)) == (0, 0)

    answer = stage.sell(stage.code(phone), 1250)

    assert answer.status == 200
    assert answer.body["balances"]["points"] == 12
    stage.until(lambda: shown(phone, "points") == 12, "the phone shows 12 points")
    stage.until(lambda: bool(phone.lock_screen), "the lock screen says so")
    assert "12" in phone.lock_screen[-1].text
    stage.until(lambda: balance(android) == 12 and len(android.lock_screen) == 1, "so does the Android phone, aloud")
    assert stage.book_faults() == []


def test_a_card_that_spent_has_its_next_issue_and_the_one_before_collects(stage: Stage) -> None:
    phone = stage.phone(stage.enrol())
    before = stage.code(phone)
    stage.sell(before, 5_000)
    till, spent = stage.facts["till_key"], {"amount": 10, "reference": "s1"}
    assert stage.call("POST", "/v1/redemptions", {"code": before, **spent}, till).status == 200
    stage.until(lambda: codes.read(stage.code(phone)).issue == 2, "the phone shows the next issue")
    stage.until(lambda: shown(phone, "points") == 40, "and the balance")
    fresh = stage.code(phone)
    assert codes.read(fresh).key_id == codes.read(before).key_id == "1"
    typed = next(iter(phone.cards.values())).file.document["barcodes"][0]["altText"]
    assert stage.call("POST", "/v1/lookups", {"code": typed.lower()}, till).body["card_current"] is True

    store = stage.call("GET", "/v1/stores", None, stage.facts["merchant_key"]).body["stores"][0]["id"]
    other = stage.merchant("POST", "/v1/tills", {"store": store, "name": "next door"}).body["key"]
    assert stage.sell(fresh, 1_000).status == stage.sell(before, 1_000).status == 200
    refused = stage.call("POST", "/v1/redemptions", {"code": before, **spent, "reference": "s2"}, other)
    assert (refused.status, refused.body["code"]) == (409, "second-proof-needed")
    assert stage.call("POST", "/v1/redemptions", {"code": fresh, **spent, "reference": "s3"}, other).status == 200

    strangers = codes.write(codes.first("AAAAAA", "0" * 16))
    refused = stage.call("POST", "/v1/lookups", {"code": strangers, "language": "fr"}, till)
    assert (refused.status, refused.body["code"]) == (404, "other-merchant")
    assert "autre commerçant" in refused.body["sentence"]
    assert stage.book_faults() == []


def test_the_same_receipt_is_counted_once_and_another_sale_under_it_is_refused(stage: Stage) -> None:
    phone = stage.phone(stage.enrol())
    code = stage.code(phone)

    first = stage.sell(code, 500, receipt="same")
    again = stage.sell(code, 500, receipt="same")
    other = stage.sell(code, 900, receipt="same")

    assert (first.status, again.status, other.status) == (200, 200, 422)
    assert again.body["entries"] == first.body["entries"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert other.body["code"] == "key-reused"
    stage.until(lambda: shown(phone, "points") == 5, "the phone shows 5 points")


def test_sales_in_quick_succession_reach_the_phone_as_few_updates(stage: Stage) -> None:
    member = stage.enrol()
    phone, android = stage.phone(member), stage.android(member)
    code, card = stage.code(phone), of_google(android)["id"]
    before, written = stage.apns.counts.accepted, stage.google.writes[card]
    for _ in range(20):
        assert stage.sell(code, 100).status == 200
    stage.until(lambda: shown(phone, "points") == balance(android) == 20, "both phones show 20 points")
    assert stage.apns.counts.accepted - before < 20
    assert stage.google.writes[card] - written < 20


def test_a_tier_and_news_and_points_come_one_alert_at_a_time(stage: Stage) -> None:
    member = stage.enrol(promotions=True)
    phone, own_android = stage.phone(member), stage.android(member)
    android = stage.android(stage.enrol(promotions=True))
    document = stage.merchant("GET", f"/v1/programmes/{stage.facts['programme']}").body["document"]
    document["announce"] = {"per_day": 3, "per_week": 9, "quiet": None}
    versions = f"/v1/programmes/{stage.facts['programme']}/versions"
    assert stage.merchant("POST", versions, {"document": document}).status == 200
    text = "Tomorrow: everything made of rye"
    drafted = stage.merchant(
        "POST",
        "/v1/announcements",
        {
            "programme": stage.facts["programme"],
            "texts": {"fr": "Demain : tout au seigle", "en": text},
            "ends_at": (datetime.now(UTC) + timedelta(days=2)).isoformat(),
        },
    )
    assert drafted.status == 200, drafted
    announcement = drafted.body["announcement"]
    count = stage.merchant("GET", f"/v1/announcements/{announcement}/count")
    assert count.body["members"]["shown"] == 2

    stage.sell(stage.code(phone), 35_000)
    stage.merchant("POST", f"/v1/announcements/{announcement}/confirmation")

    stage.until(lambda: len(phone.lock_screen) >= 3, "three alerts")
    texts = [alert.text for alert in phone.lock_screen]
    assert "350" in texts[0]
    assert "Silver" in texts[1]
    assert texts[2] == text
    assert not any("changed" in t for t in texts)
    stage.until(
        lambda: any(text in alert.text for alert in android.lock_screen), "an Android phone rings with the news"
    )
    stage.until(lambda: told(own_android) != [], "the member's own has it too")
    assert len(own_android.lock_screen) == 2, "the points and the tier; the last alert of the day is the counter's"
    assert balance(own_android) == 350

    stage.merchant("POST", f"/v1/announcements/{announcement}/recall")
    stage.until(lambda: shown(phone, "news") != text, "the news is gone")
    stage.until(lambda: not told(android) and not told(own_android), "and from Google, card and class alike")
    heard = [len(one.lock_screen) for one in (phone, own_android, android)]
    assert heard == [3, 2, 1], "nobody hears of a recall"


def told(phone: AndroidPhone) -> list[str]:
    """The messages on the card in the Android phone, its own and those for everybody."""
    (held,) = phone.cards.values()
    return [str(one["body"]) for part in (held.body, held.above) for one in part.get("messages", ())]


def test_a_reversal_is_silent_and_true(stage: Stage) -> None:
    member = stage.enrol()
    phone, android = stage.phone(member), stage.android(member)
    sale = stage.sell(stage.code(phone), 4_000)
    stage.until(lambda: shown(phone, "points") == 40, "40 points")
    stage.until(lambda: len(phone.lock_screen) == len(android.lock_screen) == 1, "one alert each")

    path = f"/v1/sales/{sale.body['id']}/reversal"
    reversed_once = stage.call("POST", path, {}, stage.facts["till_key"])
    reversed_twice = stage.call("POST", path, {}, stage.facts["till_key"])

    assert reversed_once.status == 200
    assert reversed_twice.body["entries"] == reversed_once.body["entries"]
    stage.until(lambda: shown(phone, "points") == balance(android) == 0, "0 points")
    assert len(phone.lock_screen) == len(android.lock_screen) == 1
    assert stage.book_faults() == []
