"""Owns the door of the console: who is signed in, which role may enter, forged requests, and the shell of its pages."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn
from urllib.parse import urlencode, urlsplit
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from flask import Response, abort, current_app, g, redirect, request
from markupsafe import Markup

from wallet_server.actions.staff import Person, browsers, sessions
from wallet_server.actions.staff.passkeys import Party
from wallet_server.actions.staff.roles import PARTS
from wallet_server.actions.staff.sessions import Visit
from wallet_server.errors import Forbidden, WalletError
from wallet_server.web.rendering import LANGUAGES, chosen_language, context, here, language, press, render, root

LOOPBACK = ("127.0.0.1", "localhost", "::1")
SAFE = ("GET", "HEAD", "OPTIONS")
MOST_COOKIE = 100
AGENTS = (
    (("Edg", "Edge"), ("OPR/", "Opera"), ("Firefox", "Firefox"), ("FxiOS", "Firefox"), ("SamsungBrowser", "Samsung"),
     ("CriOS", "Chrome"), ("Chrome", "Chrome"), ("Safari", "Safari")),
    (("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("CrOS", "ChromeOS"),
     ("Mac OS X", "Mac"), ("Linux", "Linux")),
)  # fmt: skip
"""What names itself in a browser's own words, in the order in which to look: many name others, too."""


OF_THE_TRADE = frozenset(
    ("today", "card", "announce", "addressees", "members", "tickets", "poster", "what_if", "books", "watch", "offline")
)
"""Parts that tell of sales and members: in the time of the account, which of one that tries things out may be ahead.
Sessions, invitations, keys and certificates are of the world outside."""


@dataclass(frozen=True)
class Section:
    """A part of the console: its name (in `t.console.sections` and `roles.PARTS`), its path, and whether a phone shows
    it in the bar at the bottom (the others are behind "more")."""

    name: str
    path: str
    first: bool = False

    @property
    def roles(self) -> tuple[str, ...]:
        """Who may enter."""
        return PARTS[self.name].see


SECTIONS = (
    Section("today", "/console/today", first=True),
    Section("card", "/console/card", first=True),
    Section("announce", "/console/announce", first=True),
    Section("members", "/console/members", first=True),
    Section("poster", "/console/poster"),
    Section("tills", "/console/tills"),
    Section("keys", "/console/keys"),
    Section("webhooks", "/console/webhooks"),
    Section("team", "/console/team"),
    Section("certificates", "/console/certificates"),
    Section("books", "/console/books"),
    Section("what_if", "/console/what-if"),
    Section("watch", "/console/watch"),
    Section("offline", "/console/offline"),
)


# ---------------------------------------------------------------------- who is there


def signed_in(part: str, *, shows: bool = False, overdue: bool = False) -> Person:
    """The person at this browser, if their role (`roles.PARTS`) sees this part of the console, or changes something
    there: that is what a request is about that is no look, unless it `shows` only. Whoever is not signed in is sent to
    do so and comes back here afterwards; so is an owner who has put off the second factor for too long, except
    (`overdue`) where it is set up. Raises `Forbidden` (`not-your-role`) for any other role."""
    return entered(part, shows=shows, overdue=overdue).person


def entered(part: str, *, shows: bool = False, overdue: bool = False) -> Visit:
    """The same, with what is known of the session."""
    rights = PARTS[part]
    sees = shows or request.method in SAFE
    roles = rights.see if sees else rights.change
    g.asked_roles = roles
    g.setdefault("asked_part", (part, "see" if sees else "change"))
    found = visit()
    if found is None or found.pending:
        _send(f"/console/{'second' if found else 'sign-in'}?{urlencode({'next': _back()})}")
    if found.person.role not in roles:
        raise Forbidden("Your role does not cover this; ask an owner of the shop.", code="not-your-role")
    if found.days_left == 0 and not overdue:
        _send("/console/account#second")
    if part in OF_THE_TRADE:
        sessions.enter_time(context(), found.person)
    return found


def visit() -> Visit | None:
    """The session of this request, also one that still waits for its second factor."""
    if "visit" not in g:
        g.visit = sessions.visit(context(), session_secret())
    found: Visit | None = g.visit
    return found


def _send(path: str) -> NoReturn:
    """Go there now; a script that only wanted a part of the page makes the browser go."""
    address = f"{root()}{path}"
    answer: Any = redirect(address, 303)
    if request.headers.get("HX-Request"):
        answer = Response("", 200, headers={"HX-Redirect": address})
    answer.headers["Cache-Control"] = "no-store"
    abort(answer)


def _back() -> str:
    if request.method in SAFE and not request.headers.get("HX-Request"):
        return here()
    shown = urlsplit(request.headers.get("HX-Current-URL", ""))
    return shown.path or f"{root()}/console"


def within(address: str) -> str:
    """A path of the console, or its first page when this is none: nobody is led to a stranger after signing in."""
    start = f"{root()}/console"
    parts = urlsplit(address)
    plain = not parts.scheme and not parts.netloc and "\\" not in address and address.isprintable()
    return address if plain and (parts.path == start or parts.path.startswith(f"{start}/")) else start


def address() -> str:
    """The network address of the visitor."""
    return (request.remote_addr or "")[:60]


def device() -> str:
    """What the browser says it is, in two words that its person recognises: `Safari, iPhone`."""
    agent = request.user_agent.string
    return ", ".join(next((name for mark, name in known if mark in agent), "") for known in AGENTS).strip(", ")


def party() -> Party | None:
    """For whom passkeys are made at this address; None where there can be none (an IP address, a plain connection)."""
    name = _hostname()
    ours = urlsplit(context().settings.base_url).hostname
    if name != "localhost" and (name != ours or not _secure() or name.replace(".", "").isdigit() or ":" in name):
        return None
    return Party(name, f"{'https' if _secure() else 'http'}://{request.host}")


# ---------------------------------------------------------------------- cookies


def _secure() -> bool:
    """Whether browsers see this service under https: the product may itself stand behind a proxy that ends TLS."""
    settings = context().settings
    # By the setting and not by the host: a proxy may pass its own (nginx does, unless told otherwise).
    if request.is_secure or urlsplit(settings.base_url).scheme == "https":
        return True
    return not (settings.sandbox or _hostname() in LOOPBACK)


def _hostname() -> str:
    return (urlsplit(f"//{request.host}").hostname or "").lower()


def reachable() -> bool:
    """Whether a browser keeps our cookie at all: over plain http it does on this machine and in the sandbox only."""
    return not _secure() or request.is_secure or urlsplit(context().settings.base_url).scheme == "https"


def _cookie(name: str) -> str:
    return f"__Host-{name}" if _secure() else name


def set_cookie(response: Any, name: str, value: str, seconds: int | None = None) -> None:
    """A cookie that no script reads and no other host gets; it ends with the browser unless it has an age."""
    response.set_cookie(
        _cookie(name), value, max_age=seconds, path="/", secure=_secure(), httponly=True, samesite="Lax"
    )


def known() -> str:
    """What this browser keeps of the people who signed in with it."""
    return request.cookies.get(_cookie("known"), "")


def know(response: Any, session_secret: str) -> None:
    """From now on this browser is known to be its person's: strangers' failures elsewhere do not hold it up."""
    kept = browsers.keep(context(), known(), session_secret)
    set_cookie(response, "known", kept, int(browsers.LASTS.total_seconds()))


def session_secret() -> str:
    """The secret of this browser's session, or nothing."""
    return request.cookies.get(_cookie("session"), "")


def drop_cookie(response: Any, name: str) -> None:
    """Forget a cookie."""
    set_cookie(response, name, "", 0)


# ---------------------------------------------------------------------- forged requests


def csrf() -> Markup:
    """The hidden field that every form of the console carries."""
    return Markup("<input type=hidden name=csrf value='{}' autocomplete=off>").format(csrf_token())


def csrf_token() -> str:
    """What shows that a request comes from our own page: bound to the session, or before one to the visitor."""
    return context().keyring.sign("csrf", _bound_to())


def _bound_to() -> str:
    found = visit()
    if found is not None:
        return f"session:{found.session}"
    if "visitor" not in g:
        kept = request.cookies.get(_cookie("visitor"), "")
        g.visitor = kept if 20 <= len(kept) <= MOST_COOKIE else secrets.token_urlsafe(24)
        g.visitor_is_new = g.visitor != kept
    return f"visitor:{g.visitor}"


def guard() -> None:
    """Before every request of the console: a POST comes from our own page, or changes nothing.

    Raises `Forbidden` (`forged`). Browsers say with Sec-Fetch-Site where a request comes from (over https and on
    loopback); the origin is `null` in their forms, because our pages send no referrer.
    """
    if request.method in SAFE:
        return
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin", "null")
    foreign = site not in (None, "same-origin", "none") or (origin != "null" and not _own(origin))
    given = request.headers.get("X-CSRF-Token") or request.form.get("csrf", "")
    if foreign or not context().keyring.verify("csrf", _bound_to(), given):
        raise Forbidden("This page was open for too long. Open it again and repeat what you did.", code="forged")


def _own(origin: str) -> bool:
    public = urlsplit(context().settings.base_url)
    ours = (f"{public.scheme}://{public.netloc}", f"{request.scheme}://{request.host}")
    return any(hmac.compare_digest(origin.encode(), one.encode()) for one in ours)


def remember_visitor(response: Response) -> Response:
    """After every request of the console: whoever got a form before signing in gets the cookie that it is bound to."""
    if g.get("visitor_is_new"):
        set_cookie(response, "visitor", g.visitor)
    return response


# ---------------------------------------------------------------------- pages


def speaks(person: Person | None = None) -> str:
    """The language of a console page: the one asked for, else the person's own, else the browser's."""
    if chosen_language() or person is None or person.language not in LANGUAGES:
        return language()
    return person.language


def sections(person: Person) -> list[Section]:
    """What this person finds in the navigation."""
    known = {rule.rule for rule in current_app.url_map.iter_rules()}
    return [one for one in SECTIONS if person.role in one.roles and one.path in known]


def console_page(template: str, person: Person, *, section: str, status: int = 200, **values: Any) -> Response:
    """A page of the console within its shell; `section` is the name of the part that it belongs to."""
    tongue = speaks(person)
    shared: dict[str, Any] = {
        "person": person,
        "section": section,
        "sections": sections(person),
        "may_change": section in PARTS and person.role in PARTS[section].change,
        "back": _shown(),
        "reminder": _reminder(),
        "when": _speaking(tongue, person.scope.zone),
        "csrf": csrf,
        "csrf_token": csrf_token(),
    }
    return render(template, tongue, status=status, **(shared | values))


def _speaking(tongue: str, zone: str) -> Callable[[datetime], str]:
    """Times as the shop's clock shows them."""
    return lambda at: format_datetime(at, "d MMM y, HH:mm", tzinfo=ZoneInfo(zone), locale=tongue)


def _shown() -> str:
    """This page, to come back to: what a POST shows cannot be opened again, but the page that sent it can."""
    return here(lang=None) if request.method in SAFE else f"{root()}/console"


def _reminder() -> int | None:
    """The days that an owner has left to set up a second factor, where there is none yet."""
    found = visit()
    return found.days_left if found is not None else None


def words(fault: WalletError, area: str) -> str:
    """A refusal in the language of the page: `t.<area>.faults.<code>`, or as the product says it."""
    found = visit()
    spoken = press().words[speaks(found.person if found and not found.pending else None)]
    told: str = spoken.of(f"{area}.faults.{fault.code}", fault.sentence)
    return told


def door_page(template: str, *, status: int = 200, **values: Any) -> Response:
    """A page before the door: signing in, founding, joining the team."""
    kept = f"?lang={speaks()}" if chosen_language() else ""
    shared: dict[str, Any] = {"language_query": kept, "csrf": csrf, "csrf_token": csrf_token()}
    return render(template, speaks(), status=status, **shared, **values)
