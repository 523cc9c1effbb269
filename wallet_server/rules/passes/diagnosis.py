"""Owns the rules of the pass doctor: what the records say of one card, and why its phones did not follow.

Facts in, diagnoses out, the worst first. What a server cannot know (switches on the phone, a flat battery) is never
claimed: it is named as what remains.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from wallet_server.rules.passes.case import APNS, Case, Given, Phone, Value

Level = Literal["error", "warning", "wait", "note", "ok", "hint"]
LEVELS: tuple[Level, ...] = ("error", "warning", "wait", "note", "ok", "hint")
"""Somebody must act; a likely reason; it will pass by itself; the reason, and no fault; all is well; worth knowing."""

Subject = Literal["update", "alert", "place", "phone"]
"""Why the card did not change; why nothing was shown; why it does not come forward at a shop; what phones reported."""

JUST_NOW = timedelta(minutes=2)
LATE = timedelta(minutes=5)
MANY_PUSHES = 10
"""So many within the hour that a phone may have stopped to fetch. Apple names no number; reports tell of half an hour
of test pushes."""
TOLD_TO_THE_HOUR = timedelta(hours=1)
CLOCKS_DIFFER = timedelta(minutes=1)
NARROW_METRES = 100


@dataclass(frozen=True)
class Diagnosis:
    """One finding. `code` is stable; `facts` fill its sentence and its remedy, which are the reader's language's."""

    code: str
    level: Level
    subject: Subject
    facts: Mapping[str, Value]


def diagnose(f: Case) -> tuple[Diagnosis, ...]:
    """What is to be said of this card, the worst first; within one level, in the order in which the steps of an update
    follow each other."""
    if f.state != "active" or f.left_at is not None:
        found = list(_over(f))
    elif f.given is not None:
        found = [*_given(f, f.given), *_news(f), *_consent(f)]
    else:
        found = [*_server(f), *_holders(f), *_coming(f), *_pushed(f), *_news(f), *_shown(f)]
        found += [*_consent(f), *_places(f)]
        if not any(one.subject == "update" and one.level in ("error", "warning", "wait") for one in found):
            found.append(_sound(f))
    found += _reported(f)
    return tuple(sorted(found, key=lambda one: LEVELS.index(one.level)))


def _say(code: str, level: Level, subject: Subject = "update", **facts: Value) -> Diagnosis:
    return Diagnosis(code, level, subject, facts)


def _over(f: Case) -> Iterator[Diagnosis]:
    if f.left_at is not None:
        yield _say("member-left", "error", at=f.left_at)
    elif f.coupon:
        yield _say("coupon-over", "note")
    elif f.replaced:
        yield _say("card-replaced", "error")
    else:
        yield _say("card-cancelled", "error")
    if f.served.seen >= f.served.number and f.served.of_version >= f.version:
        yield _say("over-known", "hint")
    elif f.phones:
        yield _say("over-unknown", "hint", phones=len(f.phones))


# --- the server's side -------------------------------------------------------------------------------------------


def _server(f: Case) -> Iterator[Diagnosis]:
    if f.unsignable is not None:
        yield _say("card-unsignable", "error", why=f.unsignable)
    if f.unopened is not None:
        yield _say("secrets-unopened", "error", why=f.unopened)
    yield from _certificate(f)
    yield from _works(f)
    if f.unreachable and not f.phones:
        yield _say("address-unreachable", "error")
    if max(f.served.published_at, f.served.last_modified) > f.at + CLOCKS_DIFFER:
        yield _say("clock-behind", "warning", at=max(f.served.published_at, f.served.last_modified))
    if f.tag_ahead:
        yield _say("tag-ahead", "warning")


def _works(f: Case) -> Iterator[Diagnosis]:
    for work, code in ((f.refresh, "refresh-given-up"), (f.ring, "ring-given-up")):
        if work is not None and work.dead:
            yield _say(code, "error", why=work.why)
    if (
        f.refresh is not None
        and not f.refresh.dead
        and f.refresh.rest_until is not None
        and f.refresh.rest_until > f.at
    ):
        yield _say("server-stumbled", "warning", until=f.refresh.rest_until, why=f.refresh.why)
    for work in (f.refresh, f.ring):
        if work is not None and not work.dead and not work.leased and f.at - work.due_at > LATE:
            yield _say("nobody-delivers", "error", at=work.due_at)
            break


def _certificate(f: Case) -> Iterator[Diagnosis]:
    papers = f.papers
    if papers.not_after <= f.at:
        yield _say("certificate-expired", "error", at=papers.not_after, type=papers.pass_type)
        return
    if papers.not_before > f.at:
        yield _say("certificate-not-yet", "error", at=papers.not_before, type=papers.pass_type)
        return
    rest = _rest(f)
    if rest is not None:
        until, why = rest
        code = blamed(why)
        # The vendor is away or busy: that passes. Anything else is a setting that a person must put right.
        passing = code in ("vendor-busy", "vendor-away")
        yield _say(code, "wait" if passing else "error", until=until, why=why)
    elif (doubted := _all_doubted(f)) is not None and not _taken_since(f, doubted):
        yield _say("environment-suspected", "error", at=doubted)


def _rest(f: Case) -> tuple[datetime, str] | None:
    """Until when nothing is sent for this card, and why."""
    if f.circuit is not None:
        return f.circuit
    if f.ring is not None and f.ring.rest_until is not None and f.ring.rest_until > f.at and not f.ring.dead:
        return f.ring.rest_until, f.ring.why
    return None


_BLAME: Sequence[tuple[str, tuple[str, ...]]] = (
    ("certificate-unusable", ("credentials:", "A stored secret", "gone from the vault", "roots cannot be used")),
    ("vendor-busy", ("TooMany", "status 429")),
    ("topic-refused", ("BadTopic", "TopicDisallowed", "MissingTopic", "DeviceTokenNotForTopic")),
    ("environment-suspected", ("tokens:", "certificate or environment")),
    ("push-key-refused", ("ProviderToken", "KeyIdInToken")),
    ("certificate-refused", ('"BadCertificate',)),  # why it said goodbye, as it writes it
    # What is said inside these may sound like one of the next: the service's own certificate, a proxy.
    ("vendor-away", ("cannot be reached", "unwell", "verify failed", "the proxy ", "only proxies ")),
    ("certificate-refused", ("BadCertificate", "Forbidden", "TLS connection")),
    ("vendor-away", ("not answer", "no answer", "without an answer", "IdleTimeout", "Internal",
                     "Shutdown", "ServiceUnavailable", "status 2", "status 3", "status 5", "said goodbye", "hung up",
                     "the stream", "breaks the protocol", "does not speak", "look-up of", "is not found", "no address",
                     "onnect", "etwork", "timed out", "route to host", "Host is down", "roken pipe",
                     "SSL", "violation of protocol")),
)  # fmt: skip
"""The first whose words stand in the reason. Words of the push service, of the way to it (`wallets/apple`) and of the
system below."""


def blamed(why: str) -> str:
    """Which diagnosis the reason of a rest stands for, by the words in which the push service and ours put it."""
    return next((code for code, words in _BLAME if any(word in why for word in words)), "push-refused")


def _ringable(f: Case) -> list[Phone]:
    return [phone for phone in f.phones if phone.kind == APNS]


def _all_doubted(f: Case) -> datetime | None:
    """Since when every phone that can be rung has been refused; None when one is not."""
    since = [phone.suspect_at for phone in _ringable(f)]
    return min(at for at in since if at is not None) if since and None not in since else None


def _taken_since(f: Case, at: datetime) -> bool:
    return f.papers.told_at is not None and f.papers.told_at > at - TOLD_TO_THE_HOUR


# --- who holds it ------------------------------------------------------------------------------------------------


_DEPARTED = {"removed": "removed", "gone": "token-gone", "refused": "token-forgotten"}
_FORGOTTEN = ("gone", "refused", "evicted")


def _holders(f: Case) -> Iterator[Diagnosis]:
    if not f.phones:
        if f.departed is not None:
            yield _say(_DEPARTED.get(f.departed[1], "no-phone"), "warning", at=f.departed[0])
        elif f.served.seen_at is not None:
            yield _say("no-phone", "warning", at=f.served.seen_at)
        elif f.unsignable is None and f.unopened is None:
            yield _say("never-registered", "warning", at=f.created_at)
        return
    doubted = [phone.suspect_at for phone in _ringable(f) if phone.suspect_at is not None]
    if doubted and (_all_doubted(f) is None or _taken_since(f, min(doubted))):
        yield _say("token-doubted", "warning", at=min(doubted), phones=len(doubted))
    if not _ringable(f):
        behind = f.served.seen < f.served.number
        yield _say("android-alone", "warning" if behind else "hint", phones=len(f.phones))
    elif len(_ringable(f)) < len(f.phones):
        yield _say("android-too", "hint", phones=len(f.phones) - len(_ringable(f)))
    if f.departed is not None and f.departed[1] in _FORGOTTEN and all(one.since <= f.departed[0] for one in f.phones):
        yield _say("another-forgotten", "note", at=f.departed[0])
    if len(f.phones) > 1:
        yield _say("several-phones", "hint", phones=len(f.phones))


# --- an update on its way ----------------------------------------------------------------------------------------


def _coming(f: Case) -> Iterator[Diagnosis]:
    """A change that is not published yet, or an alert that waits for a version of its own."""
    work = f.refresh if f.refresh is not None and not f.refresh.dead else None
    if f.served.of_version < f.version:
        if work is None and (f.refresh is None or not f.refresh.dead):
            yield _say("change-forgotten", "error")
        elif work is not None and work.due_at > f.at and not work.leased:
            yield _say("coalescing", "wait", until=work.due_at)
        elif work is not None and (work.leased or f.at - work.due_at <= LATE):
            yield _say("publishing", "wait")
    elif f.loud and work is not None:
        awaited = f.served.seen < f.served.number and bool(_ringable(f))
        yield _say("held-until-fetched" if awaited else "held-for-its-turn", "wait", "alert", until=work.due_at)


def _pushed(f: Case) -> Iterator[Diagnosis]:
    """The newest version was published; was it told, and fetched?"""
    served = f.served
    sound = [phone for phone in _ringable(f) if phone.suspect_at is None]
    if served.seen >= served.number or not sound or _rest(f) is not None or f.papers.not_after <= f.at:
        return
    if f.unsignable is not None or f.unopened is not None:
        return  # whoever came was turned away
    if served.rung < served.number:
        works = [work for work in (f.refresh, f.ring) if work is not None]
        if not works:
            yield _say("not-rung", "error", at=served.published_at)
        elif served.of_version >= f.version and any(
            (w.leased or f.at - w.due_at <= LATE) and not w.dead for w in works
        ):
            yield _say("about-to-ring", "wait", at=served.published_at)
        return
    at = served.pushed_at or served.published_at
    if _pushes(f) >= MANY_PUSHES:
        yield _say("throttled", "warning", at=at, pushes=_pushes(f))
    elif f.at - at < JUST_NOW:
        yield _say("just-pushed", "wait", at=at)
    elif f.at - at > f.push_kept:
        yield _say("push-expired", "warning", at=at)
    else:
        yield _say("pushed-not-fetched", "warning", at=at)


def _pushes(f: Case) -> int:
    """How often the card's phones were rung within about the last hour."""
    since = f.served.pushes_since
    return f.served.pushes if since is not None and f.at - since <= 2 * TOLD_TO_THE_HOUR else 0


# --- a card that a vendor holds ------------------------------------------------------------------------------------


_OF_GOOGLE: Sequence[tuple[str, Level, tuple[str, ...]]] = (
    ("google-permission", "error", ("does not let", "Users in")),
    ("google-account", "error", ("service account", "Misconfigured")),
    ("google-away", "wait", ("does not answer", "no more requests", "rate of this issuer", "no more alerts")),
)


def _given(f: Case, given: Given) -> Iterator[Diagnosis]:
    """Whether the vendor has the newest version, whether somebody has the card there, and why nothing rang."""
    found = list(_works(f))
    rest = _rest(f)
    if rest is not None:
        code, level = next(
            ((name, bad) for name, bad, words in _OF_GOOGLE if any(word in rest[1] for word in words)),
            ("google-refused", "error"),
        )
        found.append(_say(code, "wait" if level == "wait" else "error", until=rest[0], why=rest[1]))
    if given.class_note is not None:
        found.append(_say("google-class-rejected", "error", why=given.class_note))
    found += _coming(f)
    if f.served.rung < f.served.number and f.served.of_version >= f.version and not found:
        waits = f.refresh is not None or f.ring is not None
        found.append(_say("google-about-to", "wait") if waits else _say("not-rung", "error", at=f.served.published_at))
    if given.held is not True:
        removed = given.removed_at is not None
        at = given.removed_at if given.removed_at is not None else f.created_at
        found.append(_say("google-removed" if removed else "google-not-saved", "warning", at=at))
    if given.silent_until is not None:
        found.append(_say("google-silent", "note", "alert", until=given.silent_until))
    if given.note:
        found.append(_say("google-left-out", "note", "place", why=given.note))
    if not any(one.subject == "update" for one in found):
        found.append(_say("google-sound", "ok", at=f.served.published_at))
    yield from found


# --- what was shown ----------------------------------------------------------------------------------------------


def _shown(f: Case) -> Iterator[Diagnosis]:
    """A phone has the newest version: did it ring, and why may nobody have seen it?"""
    served = f.served
    if served.seen < served.number or served.number == 1 or not f.phones:
        return
    at = served.seen_at or served.published_at
    if served.alert == "news" and f.news is not None and f.news.recalled_at is not None:
        return  # what was taken back is not shown: that says `_news`
    if served.alert == "news" and f.news is not None and f.news.repeats:
        yield _say("same-text", "note", "alert", at=at)
    elif served.alert is not None:
        yield _say("alert-sent", "hint", "alert", at=at)
    else:
        yield _say(f"silent-{f.silent or 'field'}", "note", "alert", at=at)


_WAITING = {"quiet-hours": "news-quiet-hours", "per-day": "news-per-day", "per-week": "news-per-week"}


def _news(f: Case) -> Iterator[Diagnosis]:
    news = f.news
    if news is None:
        return
    if news.recalled_at is not None:
        if f.silent != "recall":
            yield _say("news-recalled", "note", "alert", at=news.recalled_at)
    elif news.ends_at <= f.at:
        if f.silent != "expiry":
            yield _say("news-over", "hint", "alert", at=news.ends_at)
    elif news.outcome == "waiting":
        yield _say(_WAITING.get(news.why or "", "news-waits"), "wait", "alert", at=news.decided_at)
    elif news.outcome == "skipped" and news.why == "announcing-off":
        yield _say("news-off", "note", "alert", at=news.decided_at)


def _consent(f: Case) -> Iterator[Diagnosis]:
    if f.agreed is None or not f.agreed[0]:
        if f.ever_agreed and f.agreed is not None:
            yield _say("consent-stopped", "note", "alert", at=f.agreed[1])
        else:
            yield _say("consent-missing", "hint", "alert")


# --- near a shop -------------------------------------------------------------------------------------------------


def _places(f: Case) -> Iterator[Diagnosis]:
    ground = f.ground
    if ground.home_closed:
        yield _say("place-closed", "hint", "place")
    if not ground.on_card:
        yield _say("place-too-far" if ground.open_stores else "place-none", "hint", "place")
        return
    if ground.metres is not None and ground.metres < NARROW_METRES:
        yield _say("place-narrow", "hint", "place", metres=ground.metres)
    yield _say("place-phone", "hint", "place", places=ground.on_card)


# --- what phones reported ----------------------------------------------------------------------------------------


_REPORTED: Mapping[str, Level] = {
    "authentication": "error",
    "invalid-pass": "error",
    "server-error": "warning",
    "refused": "warning",
    "unreachable": "warning",
    "no-last-modified": "warning",
    "ignored-since": "note",
    "unregistered-serial": "note",
    "same-tag": "note",
    "unchanged": "note",
    "unknown": "hint",
}
"""How bad it is what a phone may report, the worst first."""


def _reported(f: Case) -> Iterator[Diagnosis]:
    """Each thing once, by its newest line, and how often it was said."""
    for meaning, level in _REPORTED.items():
        lines = sorted((one for one in f.said if one.meaning == meaning), key=lambda one: one.at)
        if lines:
            last = lines[-1]
            facts: dict[str, Value] = {"at": last.at, "line": last.line, "times": len(lines)}
            if last.status is not None:
                facts["status"] = last.status
            yield Diagnosis(f"phone-{meaning}", level, "phone", facts)


def _sound(f: Case) -> Diagnosis:
    if f.served.seen_at is None:
        return _say("sound", "ok", at=f.served.published_at)
    return _say("sound", "ok", at=f.served.seen_at)
