"""Owns the routes of tiers: how a member stands and why, on a site too; giving one, and what a draft would change."""

from __future__ import annotations

from flask import Response
from flask_openapi3 import APIBlueprint, Tag

from wallet_server.actions.people import widget
from wallet_server.actions.programme import dry_run
from wallet_server.actions.purse import granting
from wallet_server.actions.purse.granting import Given
from wallet_server.web.api import models
from wallet_server.web.api import tier_models as forms
from wallet_server.web.api.door import SECURITY, answer, caller, context, guard, instant, needs, wish

tiers = APIBlueprint(
    "tiers",
    __name__,
    url_prefix="/v1",
    abp_tags=[Tag(name="Tiers", description="With the key of a merchant. How members stand, and why.")],
    abp_security=SECURITY,
    abp_responses=models.PROBLEMS,
)
guard(tiers)


@tiers.get("/members/<id>/standing", summary="A member's tier and why", responses={"200": forms.Standing})
@needs("read")
def standing(path: models.Subject, query: forms.StandingQuery) -> Response:
    """The figures that count, what is missing for the next tier, until when this one is kept, and what was given."""
    return answer(granting.standing_of(context(), caller(), path.id, query.language))


@tiers.post("/members/<id>/tier", summary="Give a tier", responses={"200": forms.TierGiven})
@needs("manage")
def give_tier(path: models.Subject, body: forms.GivenTier) -> Response:
    """For a while, on trial or for good; when it ends the member has what they earned."""
    scope = caller()
    asked = wish(scope, "give-tier", {"member": path.id, **body.model_dump(mode="json")})
    given = Given(body.tier, instant(body.until), body.trial, body.reason)
    facts, replayed = granting.give(context(), scope, path.id, given, asked)
    return answer(facts, replayed=replayed)


@tiers.post("/members/<id>/widget-token", summary="Show progress on a site", responses={"200": forms.WidgetToken})
@needs("read")
def widget_token(path: models.Subject, body: forms.WidgetFor) -> Response:
    """For one member and some minutes, on the sites that are named alone. Ask for one whenever your page is made."""
    return answer(widget.mint(context(), caller(), path.id, body.sites, body.minutes))


@tiers.post("/programmes/<id>/dry-run", summary="What a draft would change", responses={"200": forms.DryRun})
@needs("manage")
def try_draft(path: models.Subject, body: forms.Draft) -> Response:
    """On all members, without writing anything: tiers up and down, units that would be stuck, what is owed."""
    return answer(dry_run.run(context(), caller(), path.id, body.document))
