"""Owns the door of the console: who is signed in, which role may enter, forged requests, and the shell of its pages."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import Response, abort, current_app, g, redirect, request
from markupsafe import Markup

from wallet_server.actions.staff import CASHIER, MARKETER, OWNER, Person, sessions
from wallet_server.actions.staff.sessions import Visit
from wallet_server.errors import Forbidden
from wallet_server.web.rendering import LANGUAGES, chosen_language, context, here, language, render, root

EVERYBODY = (OWNER, MARKETER, CASHIER)
LOOPBACK = ("127.0.0.1", "localhost", "::1", "[::1]")
SAFE = ("GET", "HEAD", "OPTIONS")
MOST_COOKIE = 100


@dataclass(frozen=True)
class Section:
    """A part of the console: its name (in `t.console.sections`), its path, who may enter, and whether a phone shows it
    in the bar at the bottom (the others are behind "more")."""

    name: str
    path: str
    roles: tuple[str, ...]
    first: bool = False


SECTIONS = (
    Section("today", "/console/today", (OWNER, MARKETER), first=True),
    Section("card", "/console/card", (OWNER, MARKETER), first=True),
    Section("announce", "/console/announce", (OWNER, MARKETER), first=True),
    Section("members", "/console/members", (OWNER, MARKETER), first=True),
    Section("tills", "/console/tills", (OWNER,)),
    Section("team", "/console/team", (OWNER,)),
    Section("what_if", "/console/what-if", (OWNER, MARKETER)),
)


# ---------------------------------------------------------------------- who is there


def signed_in(*roles: str) -> Person:
    """The person at this browser. Whoever is not signed in is sent to do so and comes back here afterwards; raises
    `Forbidden` (`not-your-role`) for a role that is not named."""
    found = visit()
    if found is None or found.pending:
        _send(f"{root()}/console/{'second' if found else 'sign-in'}?{urlencode({'next': _back()})}")
    if found.person.role not in roles:
        raise Forbidden("Your role does not cover this; ask an owner of the shop.", code="not-your-role")
    return found.person


def visit() -> Visit | None:
    """The session of this request, also one that still waits for its second factor."""
    if "visit" not in g:
        g.visit = sessions.visit(context(), request.cookies.get(_cookie("session"), ""))
    found: Visit | None = g.visit
    return found


def _send(address: str) -> None:
    """Go there now; a script that only wanted a part of the page makes the browser go."""
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


# ---------------------------------------------------------------------- cookies


def _secure() -> bool:
    """Whether browsers see this service under https: the product may itself stand behind a proxy that ends TLS."""
    settings = context().settings
    public = urlsplit(settings.base_url)
    if request.is_secure or (public.scheme == "https" and request.host == public.netloc):
        return True
    host = (urlsplit(f"//{request.host}").hostname or "").lower()
    return not (settings.sandbox or host in LOOPBACK)


def _cookie(name: str) -> str:
    return f"__Host-{name}" if _secure() else name


def set_cookie(response: Any, name: str, value: str, seconds: int | None = None) -> None:
    """A cookie that no script reads and no other host gets; it ends with the browser unless it has an age."""
    response.set_cookie(
        _cookie(name), value, max_age=seconds, path="/", secure=_secure(), httponly=True, samesite="Lax"
    )


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
    return render(
        template,
        speaks(person),
        status=status,
        person=person,
        section=section,
        sections=sections(person),
        back=here(lang=None),
        csrf=csrf,
        csrf_token=csrf_token(),
        **values,
    )


def door_page(template: str, *, status: int = 200, **values: Any) -> Response:
    """A page before the door: signing in, founding, joining the team."""
    kept = f"?lang={speaks()}" if chosen_language() else ""
    shared = {"language_query": kept, "csrf": csrf, "csrf_token": csrf_token()}
    return render(template, speaks(), status=status, **shared, **values)
