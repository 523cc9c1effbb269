"""Owns what only a card that is good has in Google Wallet: where it comes forward, its actions, the merchant's app."""

from __future__ import annotations

from wallet_server.rules.addresses import encoded
from wallet_server.rules.passes.card import Card
from wallet_server.wallets.google.texts import Body, Speaker


def living(body: Body, card: Card, speaker: Speaker, places: bool) -> None:
    """Add it to the body; without `places` it names none."""
    if places and card.places:
        body["merchantLocations"] = [{"latitude": one.latitude, "longitude": one.longitude} for one in card.places]
    offered = [one for one in card.actions if one.kind not in ("call", "place")]
    if offered:
        body["valueAddedModuleData"] = [
            {
                "header": speaker.localized(speaker.word(one.kind)),
                "uri": encoded(one.link) or one.link,
                "sortIndex": number,
            }
            for number, one in enumerate(offered)
        ]
    app = _app(card, speaker)
    if app:
        body["appLinkData"] = {**app, "displayText": speaker.localized(speaker.word("app"))}


def _app(card: Card, speaker: Speaker) -> Body:
    """The merchant's app. Its title, words and picture are deprecated: Google shows them no more."""
    said: Body = {}
    launch = encoded(card.app.launch_link or "") if card.app is not None else None
    if launch is not None:
        said["webAppLinkInfo"] = {"appTarget": {"targetUri": _target(launch, speaker)}}
    if card.android is not None:
        target: Body = {"packageName": card.android.package}
        link = encoded(card.android.link or "")
        if link is not None:
            target["targetUri"] = _target(link, speaker)
        said["androidAppLinkInfo"] = {"appTarget": target}
    return said


def _target(link: str, speaker: Speaker) -> Body:
    return {"uri": link, "description": speaker.plain(speaker.word("app"))}
