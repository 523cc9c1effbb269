"""Owns the merchant's routes: programmes, members, stores, tills and keys, announcements."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask_openapi3 import APIBlueprint, Tag

from wallet_server.actions import keys
from wallet_server.actions.announcing import newsroom, offers
from wallet_server.actions.announcing.offers import Announcement
from wallet_server.actions.passes import pass_doctor, saving
from wallet_server.actions.people import enrol, leaving
from wallet_server.actions.people.enrol import Joining
from wallet_server.actions.programme import programs
from wallet_server.actions.programme.programs import NewStore
from wallet_server.web.api import card_models, models
from wallet_server.web.api.door import SECURITY, answer, caller, context, guard, instant, needs, wish
from wallet_server.web.console.wording import Wording
from wallet_server.web.diagnosed import Reader
from wallet_server.web.rendering import press

back_office = APIBlueprint(
    "back_office",
    __name__,
    url_prefix="/v1",
    abp_tags=[Tag(name="Merchant", description="With the key of a merchant. Every write needs an Idempotency-Key.")],
    abp_security=SECURITY,
    abp_responses=models.PROBLEMS,
)
guard(back_office)


@back_office.get("/programmes", summary="Your programmes", responses={"200": models.ProgrammeList})
@needs("read")
def list_programmes() -> Response:
    """The programmes your merchant takes part in."""
    rows = programs.list_programmes(context(), caller())
    return answer({"programmes": [_programme(row) for row in rows]})


def _programme(row: programs.ProgrammeRow) -> dict[str, Any]:
    base = context().settings.base_url
    return {
        "id": row.public_id,
        "name": row.name,
        "version": row.version,
        "join_url": f"{base}/join/{row.join_code}",
    }


@back_office.get("/programmes/<id>", summary="A programme and its document", responses={"200": models.ProgrammeWhole})
@needs("read")
def get_programme(path: models.Subject) -> Response:
    """The current version as it was published."""
    row, document = programs.programme_facts(context(), caller(), path.id)
    return answer(_programme(row) | {"document": document})


@back_office.post("/programmes/<id>/versions", summary="Publish a further version", responses={"200": models.Published})
@needs("manage")
def publish_version(path: models.Subject, body: models.Version) -> Response:
    """All faults of the document at once, or a new version; the cards follow."""
    scope = caller()
    asked = wish(scope, "publish", {"programme": path.id, "document": body.document})
    facts, replayed = programs.publish_version(context(), scope, path.id, body.document, asked)
    return answer(facts, replayed=replayed)


@back_office.post("/programmes/<id>/members", summary="Enrol a member", responses={"200": models.Enrolled})
@needs("enrol")
def enrol_member(path: models.Subject, body: models.NewMember) -> Response:
    """A member and a card; nothing about the person is required."""
    scope = caller()
    asked = wish(scope, "enrol", {"programme": path.id, **body.said()})
    named = (body.language, body.home_store, body.email, body.promotions, "api", body.first_name)
    joining = Joining(*named, customer_since=body.customer_since)
    facts, replayed = enrol.enrol(context(), scope, path.id, joining, asked)
    coupons = [{"pass": coupon, **_links(coupon)} for coupon in facts.get("coupons", [])]
    links = _links(facts["pass"])
    bundle = enrol.bundle_link(context(), facts["pass"]) if coupons and links["download_url"] else None
    google = saving.google_link(context(), facts["pass"])
    more = {**links, "google_url": google, "coupons": coupons, "bundle_url": bundle}
    return answer(facts | more, replayed=replayed)


def _links(card: str) -> dict[str, str | None]:
    return {"card_url": enrol.card_link(context(), card), "download_url": enrol.file_link(context(), card)}


@back_office.put(
    "/members/<id>/consents/promotions",
    summary="Record what a member said about announcements",
    responses={"200": models.ConsentKept},
)
@needs("enrol")
def set_consent(path: models.Subject, body: models.Consent) -> Response:
    """Kept with time and source; only the last line counts."""
    scope = caller()
    asked = wish(scope, "consent", {"member": path.id, **body.model_dump(mode="json")})
    facts, replayed = enrol.set_consent(context(), scope, path.id, body.granted, body.source, asked)
    return answer(facts, replayed=replayed)


@back_office.delete("/members/<id>", summary="A member leaves", responses={"200": card_models.MemberLeft})
@needs("manage")
def let_go(path: models.Subject) -> Response:
    """Every card is over, nothing is sent or collected any more; doing it again changes nothing."""
    return answer(leaving.leave(context(), caller(), path.id))


@back_office.post("/members/<id>/passes", summary="Issue a further card", responses={"200": card_models.CardIssued})
@needs("enrol")
def issue_card(path: models.Subject) -> Response:
    """For a member whose card was cancelled or lost; what they have stays theirs."""
    scope = caller()
    facts, replayed = leaving.issue(context(), scope, path.id, wish(scope, "issue-card", {"member": path.id}))
    return answer(facts | _links(facts["pass"]), replayed=replayed)


@back_office.delete(
    "/members/<id>/passes/<card>", summary="Cancel a card", responses={"200": card_models.CardCancelled}
)
@needs("manage")
def cancel_card(path: card_models.CardSubject) -> Response:
    """It is over at once; its phone shows so within moments and never asks again. Doing it again changes nothing."""
    return answer(leaving.cancel(context(), caller(), path.id, path.card))


@back_office.put("/members/<id>/passes/<card>/end", summary="Limit a card", responses={"200": card_models.CardLimited})
@needs("manage")
def limit_card(path: card_models.CardSubject, body: card_models.CardEnd) -> Response:
    """Until when it is good, for a guest or a season; `null`: without an end. Its phone follows."""
    return answer(leaving.limit(context(), caller(), path.id, path.card, instant(body.good_until)))


@back_office.get("/members/<id>/diagnosis", summary="Why a phone did not update", responses={"200": card_models.Chart})
@needs("read")
def diagnose(path: models.Subject) -> Response:
    """What the server knows of a member's cards on a time line, and what is to be said of it, the worst first."""
    chart = pass_doctor.examine(context(), caller(), path.id)
    say = Wording("en", newsroom.zone_of(context(), caller()))
    return answer(Reader(press().words["en"], say).document(chart))


@back_office.get("/stores", summary="Your stores", responses={"200": models.StoreList})
@needs("read")
def list_stores() -> Response:
    """With their places and texts."""
    rows = programs.stores(context(), caller())
    keep = ("name", "zone", "latitude", "longitude", "texts")
    return answer({"stores": [{"id": r.public_id} | {k: getattr(r, k) for k in keep} for r in rows]})


@back_office.post("/stores", summary="Add a store", responses={"200": models.StoreKept})
@needs("manage")
def add_store(body: models.Store) -> Response:
    """Cards carry the ten stores nearest to the member's own."""
    scope = caller()
    asked = wish(scope, "add-store", body.model_dump(mode="json"))
    facts, replayed = programs.add_store(context(), scope, NewStore(**body.model_dump()), asked)
    return answer(facts, replayed=replayed)


@back_office.put("/stores/<id>", summary="Move or rename a store", responses={"200": models.StoreKept})
@needs("manage")
def change_store(path: models.Subject, body: models.Store) -> Response:
    """The cards that carry it follow."""
    scope = caller()
    asked = wish(scope, "move-store", {"store": path.id, **body.model_dump(mode="json")})
    facts, replayed = programs.move_store(context(), scope, path.id, NewStore(**body.model_dump()), asked)
    return answer(facts, replayed=replayed)


@back_office.post("/tills", summary="Add a till", responses={"200": models.TillMade})
@needs("manage")
def add_till(body: models.NewTill) -> Response:
    """The till's key is in the first answer and nowhere else."""
    scope = caller()
    asked = wish(scope, "add-till", body.model_dump(mode="json"))
    facts, replayed = programs.add_till(context(), scope, body.store, body.name, asked)
    return answer(facts, replayed=replayed)


@back_office.delete("/keys/<id>", summary="Revoke a key", responses={"200": models.KeyRevoked})
@needs("manage")
def revoke_key(path: models.Subject) -> Response:
    """At once; doing it again changes nothing."""
    keys.revoke(context(), caller(), path.id)
    return answer({"key": path.id, "revoked": True})


@back_office.get("/announcements", summary="Your announcements", responses={"200": models.AnnouncementList})
@needs("read")
def list_announcements() -> Response:
    """The newest first."""
    return answer({"announcements": offers.listed(context(), caller())})


@back_office.post("/announcements", summary="Write an announcement", responses={"200": models.Drafted})
@needs("announce")
def draft_announcement(body: models.Announce) -> Response:
    """A draft: nobody hears it before you confirm it."""
    scope = caller()
    asked = wish(scope, "announce", body.model_dump(mode="json"))
    ends_at = instant(body.ends_at) or body.ends_at
    wanted = Announcement(body.texts, body.tier, ends_at, body.member)
    facts, replayed = offers.draft(context(), scope, body.programme, wanted, asked)
    return answer(facts, replayed=replayed)


@back_office.get(
    "/announcements/<id>", summary="Where an announcement stands", responses={"200": models.AnnouncementStatus}
)
@needs("read")
def get_announcement(path: models.Subject) -> Response:
    """And what was decided for how many members."""
    return answer(offers.status(context(), caller(), path.id))


@back_office.get("/announcements/<id>/count", summary="Dry run", responses={"200": models.AnnouncementCount})
@needs("announce")
def count_announcement(path: models.Subject) -> Response:
    """How many would see it now, would wait and why, are left out and why."""
    return answer({"members": offers.count(context(), caller(), path.id)})


@back_office.post("/announcements/<id>/confirmation", summary="Send it", responses={"200": models.AnnouncementMoved})
@needs("announce")
def confirm_announcement(path: models.Subject) -> Response:
    """From here on it goes out, behind the work of the counters."""
    scope = caller()
    facts, replayed = offers.confirm(context(), scope, path.id, wish(scope, "confirm", {"announcement": path.id}))
    return answer(facts, replayed=replayed)


@back_office.post("/announcements/<id>/recall", summary="Take it back", responses={"200": models.AnnouncementMoved})
@needs("announce")
def recall_announcement(path: models.Subject) -> Response:
    """The walk stops; cards that show it lose it without a sound."""
    scope = caller()
    facts, replayed = offers.recall(context(), scope, path.id, wish(scope, "recall", {"announcement": path.id}))
    return answer(facts, replayed=replayed)
