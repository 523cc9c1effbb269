"""Owns what appears on the lock screen when a pass is updated, and that nothing appears otherwise.

Known of iOS: a field whose value changed and whose new form has a changeMessage raises an alert, with %@ replaced by
the new value; a changeMessage without %@ gives the generic text; two or more such fields give one generic text; no
such field is a silent update. Not documented, and settled here on the side that shows less: a field that was not on
the card before has not changed, a value that reads the same in the phone's language has not changed, and the link
behind a value (attributedValue) does not count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo

from wallet_server.sandbox.passes import Pass
from wallet_server.sandbox.passes.wording import field_text, locale_of

# The English words are the ones people report from their phones; the French ones are a plain translation of them.
GENERIC: Mapping[str, tuple[str, str]] = {
    "storeCard": ("Store card changed", "Carte de fidélité modifiée"),
    "coupon": ("Coupon changed", "Bon de réduction modifié"),
    "eventTicket": ("Event ticket changed", "Billet modifié"),
    "boardingPass": ("Boarding pass changed", "Carte d’embarquement modifiée"),
}
GENERIC_OTHER = ("Pass changed", "Carte modifiée")


@dataclass(frozen=True)
class Alert:
    """One entry of the lock screen: the moment, the organisation as title, the text, and the pass it opens."""

    at: datetime
    title: str
    text: str
    pass_type: str
    serial: str


def alert_text(old: Pass, new: Pass, language: str, zone: tzinfo) -> str | None:
    """What the lock screen says about the step from `old` to `new`; None when it stays dark."""
    locale = locale_of(language)
    before, after = old.strings(language), new.strings(language)
    was = {field["key"]: field_text(field, before, locale, zone) for field in old.all_fields()}
    messages: list[tuple[str, str]] = []
    for field in new.all_fields():
        text = field_text(field, after, locale, zone)
        message = str(field.get("changeMessage", ""))
        if message and field["key"] in was and was[field["key"]] != text:
            messages.append((after.get(message, message), text))
    if not messages:
        return None
    if len(messages) > 1 or "%@" not in messages[0][0]:
        english, french = GENERIC.get(new.style, GENERIC_OTHER)
        return french if locale.language == "fr" else english
    return messages[0][0].replace("%@", messages[0][1])


def title_of(card: Pass, language: str) -> str:
    name = str(card.document["organizationName"])
    return card.strings(language).get(name, name)
