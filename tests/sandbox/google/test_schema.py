"""Owns the proof that Google's document is read as it stands: all its routes, and its schemas as another judge reads
them."""

from __future__ import annotations

import copy
import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sandbox.google.conftest import loyalty_class, loyalty_object
from wallet_server.sandbox.google import Discovery
from wallet_server.sandbox.google.schema import Schemas

DISCOVERY = Discovery.load()
SCHEMAS = Schemas(DISCOVERY)
JUDGES = {
    (name, partial): jsonschema.Draft202012Validator(DISCOVERY.json_schema(name, partial=partial))
    for name in ("LoyaltyClass", "LoyaltyObject")
    for partial in (False, True)
}
BODIES = {"LoyaltyClass": loyalty_class("1.c"), "LoyaltyObject": loyalty_object("1.o", "1.c")}
WRONG = st.sampled_from(
    [None, 1, -(2**31), 2**31, 1.5, "1", "x", "ACTIVE", "active", "notifyOnUpdate", True, [], {}, [{}]]
)


def test_every_method_is_found_by_its_address_alone() -> None:
    assert len(DISCOVERY.methods) == 99
    for method in DISCOVERY.methods:
        found, resource = DISCOVERY.find(method.http, "/" + method.path.replace("{resourceId}", "1.suffix"))
        assert found == method
        assert resource == ("1.suffix" if "{resourceId}" in method.path else "")
    assert DISCOVERY.find("DELETE", "/walletobjects/v1/loyaltyObject/1.a") == (None, True), "there is no delete"
    assert DISCOVERY.find("GET", "/walletobjects/v1/loyaltyThing/1.a") == (None, False)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"message_type": "TEXT"}, 'Unknown name "message_type"'),
        ({"loyaltyPoints": {"balance": {"int": "800"}}}, "loyaltyPoints.balance.int"),
        ({"loyaltyPoints": {"balance": {"int": 2**31}}}, "TYPE_INT32"),
        ({"state": "Active"}, "'state'"),
        ({"notifyPreference": "notifyOnUpdate"}, "'notifyPreference'"),
        ({"messages": [{"messageType": "NOTIFY"}]}, "messages[0].messageType"),
    ],
)
def test_a_fault_is_told_where_it_stands(change: dict[str, Any], word: str) -> None:
    body = BODIES["LoyaltyObject"]
    assert SCHEMAS.faults("LoyaltyObject", body) == []
    (fault,) = SCHEMAS.faults("LoyaltyObject", body | change)
    assert word in fault.description


def test_required_fields_are_those_of_googles_prose_and_not_asked_of_a_patch() -> None:
    missing = {fault.field for fault in SCHEMAS.faults("LoyaltyClass", {})}
    assert missing == {"id", "issuerName", "programName", "programLogo", "reviewStatus"}
    assert SCHEMAS.faults("LoyaltyClass", {}, partial=True) == []


def _spots(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [way, *(spot for key, item in below for spot in _spots(item, (*way, key)))]


@given(name=st.sampled_from(sorted(BODIES)), partial=st.booleans(), data=st.data())
def test_another_judge_of_the_same_schema_agrees(name: str, partial: bool, data: st.DataObject) -> None:
    body: Any = copy.deepcopy(BODIES[name])
    way = data.draw(st.sampled_from(_spots(body)[1:]))
    above = body
    for step in way[:-1]:
        above = above[step]
    deed = data.draw(st.sampled_from(("put", "drop", "add")))
    if deed == "drop":
        del above[way[-1]]
    elif deed == "add" and isinstance(above, dict):
        above[data.draw(st.sampled_from(("version", "surprise", "heroImage", "kind")))] = data.draw(WRONG)
    else:
        above[way[-1]] = data.draw(WRONG)
    assert (SCHEMAS.faults(name, body, partial=partial) == []) == JUDGES[name, partial].is_valid(body), json.dumps(body)


def test_enums_are_read_in_every_spelling_and_written_in_the_old_one() -> None:
    read = SCHEMAS.read("LoyaltyObject", {"state": "active", "barcode": {"type": "qrcode"}})
    assert read == {"state": "ACTIVE", "barcode": {"type": "QR_CODE"}}
    written = SCHEMAS.write("LoyaltyObject", read)
    assert (written["state"], written["barcode"]["type"]) == ("active", "qrCode")
    recorded = SCHEMAS.write("GenericObject", {"genericType": "GENERIC_TYPE_UNSPECIFIED", "header": {}})
    assert recorded["genericType"] == "genericTypeUnspecified"
    assert recorded["header"] == {"kind": "walletobjects#localizedString"}
