"""Owns the page that leads a device to trust this installation's certificate, and the plain door that serves it alone.

That page must be reachable before the certificate is trusted, so it has a door of its own that speaks plain http. It
carries nothing secret: a certificate is public, and its fingerprint is shown to be compared on the server's screen.
"""

from __future__ import annotations

import plistlib
import uuid
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, redirect, request
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.wrappers import Response as Answer

from wallet_server.actions.context import Context
from wallet_server.actions.operating import local_tls
from wallet_server.actions.operating.local_tls import Authority
from wallet_server.web.rendering import Press, context, language, press, render, symbol

trust = Blueprint("trust", __name__)

DEVICES = ("iphone", "android", "mac", "windows", "linux")
SEEN = (("iPhone", "iphone"), ("iPad", "iphone"), ("Android", "android"), ("Macintosh", "mac"), ("Windows", "windows"))
PLAIN_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self' {}; "
    "base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
)


@trust.get("/trust")
def page() -> Response:
    """The steps for this device first, the others folded below; without an authority, how to have one."""
    ctx, tongue = context(), language()
    authority = local_tls.authority_of(ctx) if ctx.settings.tls == "local" else None
    mine = device(request.user_agent.string)
    address = ctx.settings.trust_address or ""
    return render(
        "trust.html",
        tongue,
        authority=authority,
        safe=_promise(authority, press().words[tongue].trust) if authority else "",
        served=ctx.settings.tls,
        devices=[mine, *(one for one in DEVICES if one != mine)],
        secure=ctx.settings.base_url,
        address=address,
        drawn=symbol(address, press().words[tongue].trust.symbol) if authority else "",
    )


def _promise(authority: Authority, words: Any) -> str:
    """What trusting the certificate means: for which sites of the internet it may vouch, if for any."""
    found = ", ".join(authority.beyond)
    named = any(letter.isalpha() for letter in found) and ":" not in found
    told: str = (words.safe_name if named else words.safe_address).format(found) if found else words.safe
    return told


def device(user_agent: str) -> str:
    """Which of the guides a visitor needs, as far as a browser tells."""
    return next((name for mark, name in SEEN if mark in user_agent), "linux")


@trust.get("/trust/certificate.crt")
def certificate() -> Response:
    """The certificate as Android, Windows, macOS and browsers take it."""
    return _file(_authority().der, "application/x-x509-ca-cert", "wallet-certificate.crt")


@trust.get("/trust/certificate.pem")
def certificate_pem() -> Response:
    """The same as text, as Linux takes it."""
    return _file(_authority().pem, "application/x-pem-file", "wallet-certificate.pem")


@trust.get("/trust/profile.mobileconfig")
def profile() -> Response:
    """The same as a configuration profile, which is how an iPhone takes it (Apple: com.apple.security.root)."""
    found = _authority()
    # The same profile for the same certificate: installing it twice leaves one.
    number = uuid.uuid5(uuid.NAMESPACE_URL, found.fingerprint)
    inner = {
        "PayloadType": "com.apple.security.root",
        "PayloadVersion": 1,
        "PayloadIdentifier": f"wallet-server.trust.{number}.root",
        "PayloadUUID": str(uuid.uuid5(number, "root")).upper(),
        "PayloadDisplayName": found.name,
        "PayloadCertificateFileName": "certificate.cer",
        "PayloadContent": found.der,
    }
    outer = {
        "PayloadType": "Configuration",
        "PayloadVersion": 1,
        "PayloadIdentifier": f"wallet-server.trust.{number}",
        "PayloadUUID": str(number).upper(),
        "PayloadDisplayName": found.name,
        "PayloadDescription": press().words[language()].trust.profile_about,
        "PayloadRemovalDisallowed": False,
        "PayloadContent": [inner],
    }
    return _file(plistlib.dumps(outer), "application/x-apple-aspen-config", "wallet.mobileconfig")


def _authority() -> Authority:
    found = local_tls.authority_of(context()) if context().settings.tls == "local" else None
    if found is None:
        raise NotFound
    return found


def _file(body: bytes, media_type: str, name: str) -> Response:
    headers = {"Content-Disposition": f"attachment; filename={name}", "Cache-Control": "no-store"}
    return Response(body, mimetype=media_type, headers=headers)


# ---------------------------------------------------------------------- the plain door


def plain_door(ctx: Context, files: Blueprint, names: Sequence[str]) -> Flask:
    """The application behind the plain http port: the trust page and its files; everything else goes to https.

    `names` are those by which the certificate may be asked for: a redirect leads to one of them and nowhere else.
    """
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = 1024
    app.extensions["wallet"], app.extensions["wallet-pages"] = ctx, Press()
    app.register_blueprint(trust)
    app.register_blueprint(files)
    secure = ctx.settings.base_url
    parts = urlsplit(secure)
    port = f":{parts.port}" if parts.port else ""

    def elsewhere(_: HTTPException) -> Answer:
        asked = urlsplit(f"//{request.host}").hostname or ""
        host = f"[{asked}]" if ":" in asked else asked
        base = f"https://{host}{port}" if asked in names else secure
        return redirect(f"{base}{request.full_path.rstrip('?')}", 307)

    app.register_error_handler(404, elsewhere)
    app.register_error_handler(405, elsewhere)

    @app.after_request
    def guard(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = PLAIN_POLICY.format(f"{parts.scheme}://{parts.netloc}")
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["X-Frame-Options"] = "DENY"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    return app
