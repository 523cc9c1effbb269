"""What phones write into the log is read by their words, never by the names that a merchant chose."""

from __future__ import annotations

import pytest

from wallet_server.wallets.apple.phone_lines import Meaning, read

SINCE = "if-modified-since (null)"
NAMES = (
    "pass.com.signature-coffee",
    "pass.com.crossland.card",
    "pass.com.offlinebooks",
    "pass.fr.tls",
    "pass.com.ssl.timed-out",
    "pass.example.loyalty",
)


def _get(name: str, error: str) -> str:
    url = f"https://{name.removeprefix('pass.')}/apple"
    return (
        f"Get pass task (pass type {name}, serial number 3f9c, {SINCE}; with web service url {url}) "
        f"encountered error: {error}"
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        ("The request timed out.", "unreachable"),
        ("Timeout", "unreachable"),
        ("An SSL error has occurred and a secure connection to the server cannot be made.", "unreachable"),
        ("The Internet connection appears to be offline.", "unreachable"),
        ("Received invalid pass data", "invalid-pass"),
        ("The signature is not valid.", "invalid-pass"),
        ("Authentication failure", "authentication"),
        ("Unexpected response code 500", "server-error"),
        ("Unexpected response code 404", "refused"),
        ("Server response was malformed (Missing response data)", "unknown"),
        ("The certificate of “signature.example” is not trusted", "unknown"),
        ("Something about 'offline books'", "unknown"),
    ],
)
def test_the_names_that_a_line_quotes_say_nothing(name: str, error: str, meaning: Meaning) -> None:
    found = read(_get(name, error))
    assert (found.meaning, found.task) == (meaning, "get")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        ("Register task (for device ssl, pass type {}, serial number offline; with web service url {}) failed",
         "unknown"),
        ("Server requested update to serial number 'ssl', but the pass was unchanged.", "unchanged"),
        ("Server requested update to serial number '3f9c' of {}, but the pass was unchanged.", "unchanged"),
        ("Server ignored the 'if-modified-since' header (Wed) and returned the full unchanged pass data",
         "ignored-since"),
        ("Server returned the pass data for '{}' but did not provide a 'last-modified' header.", "no-last-modified"),
        ("Update requested for unregistered serial number '3f9c' of '{}'.", "unregistered-serial"),
        ("Response to 'What changed?' request of '{}' had serials but the lastUpdated tag (7) remained the same.",
         "same-tag"),
    ],
)  # fmt: skip
def test_wordings_are_known_with_any_name_in_them(name: str, line: str, meaning: Meaning) -> None:
    assert read(line.format(name, f"https://{name}.example/apple")).meaning == meaning
