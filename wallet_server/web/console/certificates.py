"""Owns the page of certificates: the days they have left, bringing a new one, going back to the one before."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Answer

from wallet_server.actions.staff import Person
from wallet_server.actions.vendors import certificates as papers
from wallet_server.actions.vendors.certificates import MOST_BYTES, Finding, Upload
from wallet_server.errors import Conflict, Misconfigured, TooMany, WalletError
from wallet_server.web.console.door import console_page, signed_in, speaks, words
from wallet_server.web.console.sign_in import status_of
from wallet_server.web.rendering import context, press, root

certificates = Blueprint("console-certificates", __name__)

MOST_REQUEST = 5 * MOST_BYTES
"""Less than a form's files may have before they are put onto a disk: a private key never is."""
MOST_PASSWORD = 1024
FILES = ("certificate", "key", "p12", "wwdr")
REFUSALS = (Conflict, Misconfigured, TooMany)
SCALE = 366


@certificates.before_request
def small() -> None:
    """Before the form is read: it is not larger than four small files."""
    if request.max_content_length is None or request.max_content_length > MOST_REQUEST:
        request.max_content_length = MOST_REQUEST


@certificates.get("/console/certificates")
def page() -> Response:
    """What signs the cards, and the form for a further one."""
    return _page(signed_in("certificates"))


def _page(person: Person, findings: Sequence[str] = (), fault: WalletError | None = None) -> Response:
    return console_page(
        "console/certificates.html",
        person,
        section="certificates",
        status=400 if findings else status_of(fault),
        fault=fault and words(fault, "certificates"),
        findings=findings,
        shown=papers.shown(context(), person.scope),
        scale=SCALE,
        files=FILES,
        done=request.args.get("done", ""),
    )


@certificates.post("/console/certificates")
def bring() -> Answer:
    """Check what was brought; all that is wrong is shown at once, and then nothing was kept."""
    person = signed_in("certificates")
    sent = {name: _file(name) for name in FILES}
    too_large = [name for name, body in sent.items() if len(body) > MOST_BYTES]
    if too_large:
        spoken = press().words[speaks(person)].certificates
        return _page(person, [spoken.large.format(getattr(spoken.files, name)) for name in too_large])
    password = request.form.get("password", "")[:MOST_PASSWORD].encode()
    programme = request.form.get("programme", "")[:40] or None
    try:
        done, findings = papers.bring(context(), person.scope, Upload(**sent, password=password or None), programme)
    except REFUSALS as fault:
        return _page(person, [_told(person, one.path, one.sentence) for one in fault.faults], fault)
    if done is None:
        return _page(person, [_worded(person, one) for one in findings])
    outcome = "renewed" if done.renewed and done.changed else "there" if done.renewed else "installed"
    return redirect(f"{root()}/console/certificates?done={outcome}", 303)


def _file(name: str) -> bytes:
    given = request.files.get(name)
    return given.stream.read(MOST_BYTES + 1) if given is not None else b""


def _worded(person: Person, finding: Finding) -> str:
    return _told(person, finding.code, finding.sentence)


def _told(person: Person, code: str, sentence: str) -> str:
    spoken: str = press().words[speaks(person)].of(f"certificates.faults.{code}", sentence)
    return spoken


@certificates.post("/console/certificates/<certificate>/back")
def go_back(certificate: str) -> Answer:
    """Sign with the certificate before; once more returns."""
    person = signed_in("certificates")
    try:
        papers.go_back(context(), person.scope, certificate)
    except REFUSALS as fault:
        return _page(person, (), fault)
    return redirect(f"{root()}/console/certificates?done=back", 303)
