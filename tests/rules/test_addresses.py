"""Web addresses of programmes: what was published stays readable, and nothing is published that no vendor takes."""

from __future__ import annotations

from typing import Any

import pytest

from wallet_server.errors import Invalid
from wallet_server.rules.addresses import encoded
from wallet_server.rules.programme.program import parse, publishable
from wallet_server.rules.programme.program_default import default_document


def with_address(place: str, link: str) -> dict[str, Any]:
    document = default_document("Boulangerie Claire")
    if place == "links.website":
        return document | {"links": {"website": link}}
    if place == "apple.app.launch_link":
        return document | {"apple": {"app": {"store_id": 1, "launch_link": link}}}
    return document | {
        "apple": {"actions": [{"kind": "call", "link": "tel:+33140000000"}, {"kind": "shop", "link": link}]}
    }


PLACES = ("links.website", "apple.app.launch_link", "apple.actions.1.link")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("link", ["https://claire.example:99999", "https://été..example"])
def test_what_no_vendor_takes_is_not_published_and_stays_readable(place: str, link: str) -> None:
    document = with_address(place, link)
    parse(document)

    with pytest.raises(Invalid) as refusal:
        publishable(document)

    assert [fault.path for fault in refusal.value.faults] == [place]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("link", ["https://fleuriste-été.example/à?b=ç", "https://claire.example/a<b"])
def test_what_can_be_encoded_is_published(place: str, link: str) -> None:
    assert encoded(link)
    publishable(with_address(place, link))


def test_an_app_may_have_a_scheme_of_its_own() -> None:
    publishable(with_address("apple.app.launch_link", "bakery://open"))
    with pytest.raises(Invalid):
        publishable(with_address("apple.app.launch_link", "HTTPS://"))
