"""Owns the proof that the sandbox's Google answers as Google does: sign-in, rules, merging, review, quota, links."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from google.auth import crypt
from google.auth import jwt as google_jwt
from google.auth.exceptions import RefreshError
from google.auth.transport.requests import AuthorizedSession

from tests.sandbox.google.conftest import ISSUER, SCOPES, Bench


def said(answer: requests.Response) -> tuple[int, str]:
    error = answer.json()["error"]
    return answer.status_code, error["errors"][0]["reason"] if "errors" in error else error["status"]


def points(value: int, **more: Any) -> dict[str, Any]:
    return {"loyaltyPoints": {"balance": {"int": value}}, **more}


RINGING = {"notifyPreference": "NOTIFY_ON_UPDATE"}


# ---------------------------------------------------------------------- who may come in


def assertion(bench: Bench, **changes: Any) -> dict[str, str]:
    now = int(time.time())
    claims = {
        "iss": bench.account["client_email"],
        "aud": "https://oauth2.googleapis.com/token",
        "scope": SCOPES[0],
        "iat": now,
        "exp": now + 3600,
    }
    jwt = google_jwt.encode(crypt.RSASigner.from_service_account_info(bench.account), claims | changes).decode()
    return {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": jwt}


def test_a_token_is_given_for_a_true_assertion_alone(bench: Bench) -> None:
    def ask(form: dict[str, str]) -> requests.Response:
        return requests.post(bench.google.token_url, data=form, verify=bench.root)

    assert ask(assertion(bench)).json()["token_type"] == "Bearer"
    forged = assertion(bench)
    forged["assertion"] = forged["assertion"][:-6] + "AAAAAA"
    wrong = [
        forged,
        assertion(bench, aud="https://elsewhere.example/token"),
        assertion(bench, iss="stranger@sandbox.iam.gserviceaccount.com"),
        assertion(bench, iat=1, exp=3601),
        assertion(bench, exp=int(time.time()) + 9000),
        assertion(bench, scope="https://www.googleapis.com/auth/drive"),
        assertion(bench) | {"grant_type": "password"},
        {},
    ]
    for form in wrong:
        answer = ask(form)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant"), form


def test_a_token_ends_and_a_made_up_one_is_none(bench: Bench, session: AuthorizedSession) -> None:
    above, _ = bench.made(session)
    url = bench.url(f"loyaltyClass/{above}")
    for head in ({}, {"Authorization": "Bearer ya29.sandbox.x"}, {"Authorization": "Basic x"}):
        answer = requests.get(url, headers=head, verify=bench.root)
        assert said(answer) == (401, "UNAUTHENTICATED")
        assert "invalid_token" in answer.headers["WWW-Authenticate"]
    head = {"Authorization": f"Bearer {session.credentials.token}"}
    assert requests.get(url, headers=head, verify=bench.root).status_code == 200
    bench.google.accounts.clock = lambda: datetime.now(UTC) + timedelta(hours=1, minutes=1)
    assert requests.get(url, headers=head, verify=bench.root).status_code == 401


def test_an_account_reaches_its_own_issuer_alone(bench: Bench, session: AuthorizedSession) -> None:
    _, below = bench.made(session)
    other = "3388000000022000002"
    assert said(session.post(bench.url("loyaltyClass"), json=bench.class_body(id=f"{other}.c"))) == (
        403,
        "permissionDenied",
    )
    bench.google.permit(ISSUER, bench.account["client_email"], allowed=False)
    assert said(session.get(bench.url(f"loyaltyObject/{below}"))) == (403, "permissionDenied")
    bench.google.permit(ISSUER, bench.account["client_email"], allowed=True)
    assert session.get(bench.url(f"loyaltyObject/{below}")).status_code == 200
    made = session.post(bench.url("issuer"), json={"name": "Second shop"}).json()
    assert session.post(bench.url("loyaltyClass"), json=bench.class_body(id=f"{made['issuerId']}.c")).ok
    listed = session.get(bench.url("issuer")).json()["resources"]
    assert {one["issuerId"] for one in listed} >= {ISSUER, made["issuerId"]}
    rows = [{"emailAddress": "owner@example.com", "role": "owner"}]
    answer = session.put(bench.url(f"permissions/{made['issuerId']}"), json={"permissions": rows})
    assert answer.json()["permissions"] == [{"emailAddress": "owner@example.com", "role": "OWNER"}]
    assert said(session.get(bench.url(f"loyaltyClass/{made['issuerId']}.c"))) == (403, "permissionDenied")


# ---------------------------------------------------------------------- classes and objects


@pytest.mark.parametrize(
    ("kind", "above", "below"),
    [
        ("offer", {"provider": "Shop", "redemptionChannel": "INSTORE", "title": "-20 %"}, {}),
        ("giftCard", {}, {"cardNumber": "123", "balance": {"currencyCode": "EUR", "micros": "5000000"}}),
        ("eventTicket", {"eventName": {"defaultValue": {"language": "en", "value": "Fair"}}}, {}),
        (
            "generic",
            None,
            {
                "cardTitle": {"defaultValue": {"language": "en", "value": "Card"}},
                "header": {"defaultValue": {"language": "en", "value": "Ada"}},
            },
        ),
    ],
)
def test_every_kind_is_made_kept_and_given_back(
    bench: Bench, session: AuthorizedSession, kind: str, above: dict[str, Any] | None, below: dict[str, Any]
) -> None:
    base = {} if above is None else {"issuerName": "Shop", "reviewStatus": "UNDER_REVIEW", **above}
    assert session.post(bench.url(f"{kind}Class"), json={"id": f"{ISSUER}.{kind}", **base}).ok
    body = {"id": f"{ISSUER}.{kind}1", "classId": f"{ISSUER}.{kind}", "state": "ACTIVE", **below}
    assert said(session.post(bench.url(f"{kind}Object"), json=body | {"classId": f"{ISSUER}.none"}))[0] == 404
    made = session.post(bench.url(f"{kind}Object"), json=body)
    assert made.ok, made.text
    shown = session.get(bench.url(f"{kind}Object/{body['id']}")).json()
    assert shown == made.json()
    assert (shown["state"], shown["hasUsers"]) == ("active", False)
    bench.google.respell(old=False)
    assert body.items() <= session.get(bench.url(f"{kind}Object/{body['id']}")).json().items()
    put = session.put(bench.url(f"{kind}Object/{body['id']}"), json=body | {"state": "INACTIVE"})
    assert put.json()["state"] == "INACTIVE"
    listed = session.get(bench.url(f"{kind}Object"), params={"classId": body["classId"]}).json()["resources"]
    assert [one["id"] for one in listed] == [body["id"]]


def test_a_second_insert_is_refused_and_changes_nothing(bench: Bench, session: AuthorizedSession) -> None:
    above, below = bench.made(session)
    again = bench.object_body(above, id=below, accountName="Eve")
    assert said(session.post(bench.url("loyaltyObject"), json=again)) == (409, "existingResource")
    assert session.get(bench.url(f"loyaltyObject/{below}")).json()["accountName"] == "Ada"


def test_a_patch_merges_objects_replaces_lists_and_takes_away_what_is_null(
    bench: Bench, session: AuthorizedSession
) -> None:
    _, below = bench.made(session)
    change = {
        "loyaltyPoints": {"balance": {"int": 11}},
        "textModulesData": [{"id": "c", "header": "C", "body": "three"}],
        "accountName": None,
    }
    shown = session.patch(bench.url(f"loyaltyObject/{below}"), json=change).json()
    assert shown["loyaltyPoints"] == {"label": "Points", "balance": {"int": 11}}
    assert [one["id"] for one in shown["textModulesData"]] == ["c"]
    assert "accountName" not in shown
    assert shown["barcode"]["value"] == "C-1"
    assert shown["version"] == "2"
    text = {"loyaltyPoints": {"balance": {"string": "11"}}}
    assert said(session.patch(bench.url(f"loyaltyObject/{below}"), json=text)) == (400, "invalidResource")
    text["loyaltyPoints"]["balance"]["int"] = None  # type: ignore[assignment]
    assert session.patch(bench.url(f"loyaltyObject/{below}"), json=text).ok
    assert said(session.patch(bench.url(f"loyaltyObject/{below}"), json={"state": None})) == (400, "INVALID_ARGUMENT")
    assert said(session.patch(bench.url(f"loyaltyObject/{ISSUER}.nobody"), json={})) == (404, "resourceNotFound")
    replaced = {"classId": shown["classId"], "state": "ACTIVE"}
    assert "barcode" not in session.put(bench.url(f"loyaltyObject/{below}"), json=replaced).json()


@pytest.mark.parametrize(
    "change",
    [
        {"merchantLocations": [{"latitude": 48.1, "longitude": 11.5}] * 11},
        {"merchantLocations": [{"latitude": 91, "longitude": 0}]},
        {"heroImage": {}},
        {"heroImage": {"sourceUri": {"uri": "logo.png"}}},
        {"textModulesData": [{"id": "a.b"}]},
        {"validTimeInterval": {"start": {"date": "2026-01-01T00:00:00"}, "end": {"date": "2026-01-01T00:00:00Z"}}},
        {"messages": [{"header": "x"}]},
        {"messages": [{"body": "x"}] * 11},
        {"rotatingBarcode": {"type": "AZTEC", "valuePattern": "{totp_value_0}"}},
        {"linkedOfferIds": ["3388000000022000001.none"]},
        {"id": "3388000000022000001.other"},
    ],
)
def test_what_googles_prose_forbids_is_refused(
    bench: Bench, session: AuthorizedSession, change: dict[str, Any]
) -> None:
    above, _ = bench.made(session)
    _, below = bench.made(session)
    before = session.get(bench.url(f"loyaltyObject/{below}")).json()
    answer = session.patch(bench.url(f"loyaltyObject/{below}"), json=change)
    assert answer.status_code in (400, 404), answer.text
    assert session.get(bench.url(f"loyaltyObject/{below}")).json() == before
    if "id" not in change:
        assert not session.post(bench.url("loyaltyObject"), json=bench.object_body(above) | change).ok


def test_a_class_is_reviewed(bench: Bench, session: AuthorizedSession) -> None:
    draft = bench.class_body(reviewStatus="DRAFT")
    url = bench.url(f"loyaltyClass/{draft['id']}")
    assert session.post(bench.url("loyaltyClass"), json=draft).json()["reviewStatus"] == "draft"
    assert said(session.post(bench.url("loyaltyObject"), json=bench.object_body(draft["id"])))[0] == 400
    assert said(session.patch(url, json={"programName": "New"})) == (400, "invalidResource"), "it says under review"
    assert session.patch(url, json={"reviewStatus": "UNDER_REVIEW"}).json()["reviewStatus"] == "approved"
    assert said(session.patch(url, json={"reviewStatus": "APPROVED"})) == (400, "invalidResource")
    assert said(session.patch(url, json={"reviewStatus": "DRAFT"})) == (400, "invalidResource")
    assert session.post(bench.url("loyaltyObject"), json=bench.object_body(draft["id"])).ok
    bench.google.switches.review = ("REJECTED", "The logo is blurred.")
    shown = session.patch(url, json={"reviewStatus": "UNDER_REVIEW"}).json()
    assert (shown["reviewStatus"], shown["review"]) == ("rejected", {"comments": "The logo is blurred."})


def test_offers_are_linked_and_taken_off(bench: Bench, session: AuthorizedSession) -> None:
    _, below = bench.made(session)
    offer_class = {"provider": "Shop", "redemptionChannel": "INSTORE", "title": "x", "reviewStatus": "UNDER_REVIEW"}
    offer_class |= {"id": f"{ISSUER}.oc", "issuerName": "Shop"}
    assert session.post(bench.url("offerClass"), json=offer_class).ok
    offer = {"id": f"{ISSUER}.o1", "classId": f"{ISSUER}.oc", "state": "ACTIVE"}
    assert session.post(bench.url("offerObject"), json=offer).ok
    url = bench.url(f"loyaltyObject/{below}/modifyLinkedOfferObjects")
    add = {"linkedOfferObjectIds": {"addLinkedOfferObjectIds": [offer["id"]]}}
    assert session.post(url, json=add).json()["linkedOfferIds"] == [offer["id"]]
    take = {"linkedOfferObjectIds": {"removeLinkedOfferObjectIds": [offer["id"]]}}
    assert session.post(url, json=take).json()["linkedOfferIds"] == []


def test_an_object_whose_time_is_over_is_expired(bench: Bench, session: AuthorizedSession) -> None:
    _, below = bench.made(session)
    url = bench.url(f"loyaltyObject/{below}")
    end = (datetime.now(UTC) + timedelta(minutes=30)).isoformat()
    assert session.patch(url, json={"validTimeInterval": {"end": {"date": end}}}).json()["state"] == "active"
    bench.clock.ahead = timedelta(minutes=31)
    assert session.get(url).json()["state"] == "expired"


# ---------------------------------------------------------------------- alerts, three in a day


def test_three_alerts_a_day_for_messages_and_updates_together(bench: Bench, session: AuthorizedSession) -> None:
    _, below = bench.made(session)
    url = bench.url(f"loyaltyObject/{below}")
    loud = {"message": {"id": "m", "header": "h", "body": "b", "messageType": "TEXT_AND_NOTIFY"}}
    assert session.patch(url, json=points(1, **RINGING)).ok
    assert session.patch(url, json=points(1, **RINGING)).ok, "nothing changed, nothing rings"
    assert session.patch(url, json={"accountName": "B", **RINGING}).ok, "a name does not ring"
    assert session.post(f"{url}/addMessage", json=loud).ok
    assert session.patch(url, json=points(2, **RINGING)).ok
    assert "notifyPreference" not in session.get(url).json(), "it is not kept"
    before = session.get(url).json()
    assert said(session.patch(url, json=points(3, **RINGING))) == (403, "quotaExceeded")
    bench.google.switches.quota_status = 429
    assert said(session.post(f"{url}/addMessage", json=loud)) == (429, "quotaExceeded")
    assert session.get(url).json() == before
    assert session.patch(url, json=points(3)).ok, "silently"
    bench.clock.ahead = timedelta(hours=24, minutes=1)
    assert session.patch(url, json=points(4, **RINGING)).ok


def test_a_message_of_the_class_counts_for_whoever_holds_its_objects(bench: Bench, session: AuthorizedSession) -> None:
    above, below = bench.made(session)
    assert requests.post(bench.google.save_url + bench.link(below), data={"account": "ada"}, verify=bench.root).ok
    loud = {"message": {"id": "m", "header": "h", "body": "b", "messageType": "TEXT_AND_NOTIFY"}}
    for _ in range(3):
        assert session.post(bench.url(f"loyaltyClass/{above}/addMessage"), json=loud).ok
    url = bench.url(f"loyaltyObject/{below}")
    assert said(session.patch(url, json=points(3, **RINGING))) == (403, "quotaExceeded")
    assert len(session.get(url).json()["classReference"]["messages"]) == 3, "the same message thrice: no key guards it"


# ---------------------------------------------------------------------- links


def test_a_link_saves_what_it_names(bench: Bench, session: AuthorizedSession) -> None:
    _, below = bench.made(session)
    link = bench.google.save_url + bench.link(below)
    assert len(link) < 1800
    page = requests.get(link, verify=bench.root)
    assert page.ok
    assert "Brotclub" in page.text
    assert session.get(bench.url(f"loyaltyObject/{below}")).json()["hasUsers"] is False, "looking saves nothing"
    assert requests.post(link, data={"account": "ada"}, verify=bench.root).ok
    assert session.get(bench.url(f"loyaltyObject/{below}")).json()["hasUsers"] is True
    somebody = requests.post(link, data={"account": "eve"}, verify=bench.root)
    assert somebody.status_code == 400
    assert "somebody else" in somebody.text


def test_a_link_that_google_would_not_take_is_refused(bench: Bench, session: AuthorizedSession) -> None:
    above, below = bench.made(session)
    other = bench.google.issue_account("3388000000022000003")
    signer = crypt.RSASigner.from_service_account_info(other)
    stolen = google_jwt.encode(signer, json.loads(json.dumps(google_jwt.decode(bench.link(below), verify=False))))
    foreign = {**google_jwt.decode(bench.link(below), verify=False), "iss": other["client_email"]}
    long = {"loyaltyObjects": [bench.object_body(above, accountName="x" * 1500)]}
    wrong = {
        "aud": bench.link(below, aud="https://google.com"),
        "typ": bench.link(below, typ="JWT"),
        "iat": bench.link(below, iat=None),
        "nobody": bench.link(f"{ISSUER}.nobody"),
        "payload": bench.link(below, payload={"loyaltyThings": []}),
        "nothing": bench.link(below, payload={}),
        "signature": stolen.decode(),
        "another issuer's account": google_jwt.encode(signer, foreign).decode(),
        "long": bench.link(below, payload=long),
    }
    for why, jwt in wrong.items():
        answer = requests.post(bench.google.save_url + jwt, data={"account": "ada"}, verify=bench.root)
        assert answer.status_code in (400, 403, 404), why
        assert "went wrong" in answer.text
    assert session.get(bench.url(f"loyaltyObject/{below}")).json()["hasUsers"] is False


def test_a_long_jwt_becomes_a_short_link_and_a_sample_is_validated(bench: Bench, session: AuthorizedSession) -> None:
    above = bench.class_body()
    below = bench.object_body(above["id"], accountName="x" * 1500)
    jwt = bench.link(payload={"loyaltyClasses": [above], "loyaltyObjects": [below]})
    check = bench.url("jwt/validate")
    assert session.post(check, json={"jwtResource": {"jwt": jwt}}).json() == {}
    assert session.get(bench.url(f"loyaltyClass/{above['id']}")).status_code == 404, "looking makes nothing"
    plain = {"json": json.dumps({"loyaltyObjects": [{**below, "state": "Sleeping"}]})}
    assert said(session.post(check, json={"jsonResource": plain})) == (400, "INVALID_ARGUMENT")
    assert said(session.post(check, json={})) == (400, "invalidResource")
    made = session.post(bench.url("jwt"), json={"jwt": jwt}).json()
    assert [one["id"] for one in made["resources"]["loyaltyObjects"]] == [below["id"]]
    assert requests.post(made["saveUri"], data={"account": "ada"}, verify=bench.root).ok
    assert session.get(bench.url(f"loyaltyObject/{below['id']}")).json()["hasUsers"] is True


def test_a_refused_sign_in_reaches_googles_own_client(bench: Bench) -> None:
    account = {**bench.account, "client_email": "stranger@sandbox.iam.gserviceaccount.com"}
    stranger = Bench(bench.google, bench.clock, bench.root, account=account).session()
    with stranger, pytest.raises(RefreshError, match="account not found"):
        stranger.get(bench.url("issuer"))
