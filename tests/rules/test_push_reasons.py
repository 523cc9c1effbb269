"""Why nothing is sent, in the words of the push service, of the way to it and of this server: each is blamed on whoever
can do something about it."""

from __future__ import annotations

import ast
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from wallet_server.rules.passes.diagnosis import blamed
from wallet_server.wallets.apple import apns_batch, apns_link, apns_road

AWAY = "vendor-away"
UNUSABLE = "its certificate, key or trusted roots cannot be used: [SSL] PEM lib (_ssl.c:3921)"
THEIRS = (
    "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:1000)",
    "certificate verify failed: certificate has expired",
    "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1000)",
)
REJECTED = (
    "[SSL: SSLV3_ALERT_BAD_CERTIFICATE] ssl/tls alert bad certificate (_ssl.c:2580)",
    "[SSL: SSLV3_ALERT_CERTIFICATE_EXPIRED] ssl/tls alert certificate expired (_ssl.c:2580)",
    "[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca (_ssl.c:2580)",
)
SOCKETS = ("ECONNREFUSED", "ECONNRESET", "ECONNABORTED", "ENOTCONN", "ENETDOWN", "ENETUNREACH", "ENETRESET")
SOCKETS += ("EHOSTDOWN", "EHOSTUNREACH", "ETIMEDOUT", "EPIPE")


def _text(node: ast.expr) -> str:
    """What an expression says, with X for what it is filled with."""
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "X" for part in node.values)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return _text(node.func.value)  # a text that is stripped
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _said(module: object, *calls: str) -> Iterator[str]:
    """The texts that a module gives to these."""
    for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text("utf-8"))):  # type: ignore[attr-defined]
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in calls:
                given = [*node.args, *(one.value for one in node.keywords if one.arg == "text")]
                yield from (text for one in given if " " in (text := _text(one)))


WRITTEN = sorted(
    {
        *_said(apns_road, "Away", "_connect"),
        *_said(apns_link, "Away", "_failed", "Reply"),
        *_said(apns_batch, "_give_up"),
        "the look-up of api.push.apple.com takes too long",
        "api.push.apple.com is not found: [Errno -2] Name or service not known",
        "it closes connections without an answer, as it would for a certificate it rejects: it hung up",
        "APNs did not answer in time",
    }
)
OF_THE_SYSTEM = [os.strerror(getattr(errno, name)) for name in SOCKETS] + [
    "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1000)",
    "EOF occurred in violation of protocol",
    "The read operation timed out",
]


def test_the_texts_are_found_where_they_are_written() -> None:
    assert {"it refused the stream", "it hung up", "it does not speak HTTP/2", "the proxy broke off"} <= {*WRITTEN}
    assert {"APNs cannot be reached (X)", "APNs is unwell (X X)", "it said goodbye X"} <= {*WRITTEN}
    assert {"no answer within X seconds", "it reset the stream with code X", "no connection to X: X"} <= {*WRITTEN}


@pytest.mark.parametrize("text", [*WRITTEN, *OF_THE_SYSTEM, *THEIRS])
def test_a_service_that_is_away_or_the_way_to_it_is_not_a_refusal(text: str) -> None:
    expected = "certificate-unusable" if "cannot be used" in text else AWAY
    assert blamed(text) == expected
    assert blamed(f"APNs cannot be reached ({text})") == expected


@pytest.mark.parametrize(
    ("text", "code"),
    [(one, "certificate-refused") for one in REJECTED]
    + [(one, AWAY) for one in (*THEIRS, "only proxies of http are used for the push service, not one of socks5")]
    + [(UNUSABLE, "certificate-unusable")],
)
def test_a_refusal_of_tls_is_blamed_on_whose_certificate_was_refused(text: str, code: str) -> None:
    for remedy in ("Check the certificate and its key.", apns_batch._NOT_TRUSTED):
        sentence = f"The TLS connection to APNs was refused ({text}). {remedy}"
        assert blamed(sentence) == blamed(f"configuration: {sentence}") == code


@pytest.mark.parametrize(
    ("status", "reason", "code"),
    [
        (400, "BadCollapseId", "push-refused"),
        (400, "BadExpirationDate", "push-refused"),
        (400, "BadMessageId", "push-refused"),
        (400, "BadPriority", "push-refused"),
        (400, "DuplicateHeaders", "push-refused"),
        (400, "InvalidPushType", "push-refused"),
        (404, "BadPath", "push-refused"),
        (405, "MethodNotAllowed", "push-refused"),
        (413, "PayloadTooLarge", "push-refused"),
        (418, "SomethingNew", "push-refused"),
        (418, "status 418", "push-refused"),
        (400, "BadTopic", "topic-refused"),
        (400, "MissingTopic", "topic-refused"),
        (400, "TopicDisallowed", "topic-refused"),
        (400, "DeviceTokenNotForTopic", "topic-refused"),
        (403, "BadCertificate", "certificate-refused"),
        (403, "BadCertificateEnvironment", "certificate-refused"),
        (403, "Forbidden", "certificate-refused"),
        (403, "InvalidProviderToken", "push-key-refused"),
        (403, "ExpiredProviderToken", "push-key-refused"),
        (403, "MissingProviderToken", "push-key-refused"),
        (403, "UnrelatedKeyIdInToken", "push-key-refused"),
        (403, "BadEnvironmentKeyIdInToken", "push-key-refused"),
    ],
)
def test_a_request_that_apple_refuses_is_blamed_by_apples_word(status: int, reason: str, code: str) -> None:
    remedy = apns_batch._REMEDIES.get(reason, apns_batch._CERTIFICATE)
    sentence = f"APNs refused the request ({status} {reason}). {remedy}"
    assert blamed(reason) == blamed(sentence) == blamed(f"configuration: {sentence}") == code


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("TooManyRequests", "vendor-busy"),
        ("TooManyProviderTokenUpdates", "vendor-busy"),
        ("status 429", "vendor-busy"),
        ("IdleTimeout", AWAY),
        ("InternalServerError", AWAY),
        ("ServiceUnavailable", AWAY),
        ("Shutdown", AWAY),
        ("status 500", AWAY),
        ("status 302", AWAY),
        ("tokens: A wrong certificate or environment looks like that, so the batch was stopped.",
         "environment-suspected"),
        ("A stored secret (credential-key) does not open with its key.", "certificate-unusable"),
        ("The certificate of this card is gone from the vault.", "certificate-unusable"),
        ("credentials: The pass certificate expired on 12 May 2026.", "certificate-unusable"),
        ("credentials: The credential set 4 is for pass.a, not for pass.b.", "certificate-unusable"),
        ("configuration: something new", "push-refused"),
    ],
)  # fmt: skip
def test_what_else_stops_the_pushes_is_blamed_by_its_words(reason: str, code: str) -> None:
    assert blamed(reason) == code
