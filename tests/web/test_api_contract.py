"""The OpenAPI document is what it says it is, and no request, however odd, is a fault of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.conftest import NewDatabase, mostly_on
from tests.examples import examples
from tests.world import World, founded
from wallet_server.rules.programme.program_default import default_document


def _document(world: World) -> dict[str, Any]:
    answer = world.client().get("/openapi/openapi.json")
    assert answer.status_code == 200
    return dict(answer.json)


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [ref for value in node.values() for ref in _references(value)]
    return [ref for value in node for ref in _references(value)] if isinstance(node, list) else []


@pytest.mark.slow
def test_the_document_is_openapi_3_1_and_every_schema_in_it_is_sound(new_database: NewDatabase, tmp_path: Path) -> None:
    with founded(new_database("sqlite"), tmp_path) as world:
        document = _document(world)
    assert document["openapi"].startswith("3.1")
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    for reference in _references(document):
        node: Any = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
    api = {path: item for path, item in document["paths"].items() if path.startswith("/v1/")}
    assert len(api) >= 18
    for path, item in api.items():
        for method, operation in item.items():
            assert operation["summary"], (method, path)
            assert operation["security"] == [{"key": []}], (method, path)
            assert {"200", "401", "429", "503"} <= set(operation["responses"]), (method, path)
    identifiers = [operation["operationId"] for item in api.values() for operation in item.values()]
    assert len(identifiers) == len(set(identifiers))


def test_the_form_of_a_programme_is_published_for_everybody(new_database: NewDatabase, tmp_path: Path) -> None:
    with founded(new_database("sqlite"), tmp_path) as world:
        answer = world.client().get("/openapi/programme.json")
    assert (answer.status_code, answer.mimetype) == (200, "application/schema+json")
    form = jsonschema.Draft202012Validator(answer.get_json(force=True))
    assert form.is_valid(default_document("Boulangerie"))
    assert not form.is_valid({**default_document("Boulangerie"), "earns": []})


@pytest.mark.slow
@mostly_on("sqlite")
def test_no_request_made_from_the_document_is_a_fault_of_ours(
    new_database: NewDatabase, tmp_path: Path, database_kind: str
) -> None:
    """schemathesis, in the same process: values of the documented form and beside it, with the right key."""
    with founded(new_database(database_kind), tmp_path) as world:
        holder = world.enrol(promotions=True)
        world.sell(holder, 100_000)
        schema = schemathesis.openapi.from_dict(_document(world))
        known = {"code": holder.code, "programme": world.programme, "store": world.founded.store}
        client = world.client()
        tried = []
        for result in schema.get_all_operations():
            operation = result.ok()
            if not operation.path.startswith("/v1/"):
                continue
            positive = operation.as_strategy()
            negative = operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE)

            @settings(
                max_examples=3,
                phases=[Phase.generate],
                database=None,
                suppress_health_check=list(HealthCheck),
            )
            @given(case=st.one_of(positive, negative), ours=st.booleans())
            def send(case: Any, ours: bool) -> None:
                body = case.body if isinstance(case.body, dict | list | str | int | float) else None
                if ours and isinstance(body, dict):
                    body = {**body, **{name: value for name, value in known.items() if name in body}}
                key = world.founded.till_key if "Till" in (case.operation.tags or []) else world.founded.merchant_key
                path = str(case.formatted_path)
                if ours:
                    path = path.replace(str((case.path_parameters or {}).get("id")), world.programme)
                answer = client.open(path, method=case.method, json=body, headers=world.bearer(key, world.number()))
                assert answer.status_code < 500, (case.method, path, body, answer.data)

            send()
            tried.append(operation.path)
        assert len(tried) >= 18


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


def _spoilt(document: dict[str, Any], path: list[int], value: Any) -> dict[str, Any]:
    """The document with one value, found by going down `path`, put in place of what stood there."""
    copied: Any = _copy(document)
    node = copied
    for step in path:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            break
        key = keys[step % len(keys)]
        if isinstance(node[key], dict | list) and step % 3:
            node = node[key]
        else:
            node[key] = value
            break
    return dict(copied)


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(inner) for key, inner in value.items()}
    return [_copy(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_no_programme_document_is_a_fault_of_ours(new_database: NewDatabase, tmp_path: Path, kind: str) -> None:
    with founded(new_database(kind), tmp_path) as world:
        client, holder = world.client(), world.enrol()
        sound = default_document("Boulangerie")

        @settings(max_examples=examples(30), suppress_health_check=list(HealthCheck))
        @given(st.lists(st.integers(0, 50), min_size=1, max_size=6), JSON)
        def publish(path: list[int], value: Any) -> None:
            answer = client.post(
                f"/v1/programmes/{world.programme}/versions",
                json={"document": _spoilt(sound, path, value)},
                headers=world.bearer(world.founded.merchant_key, world.number()),
            )
            assert answer.status_code < 500, answer.data

        publish()
        # Whatever of it was taken: the tills go on.
        assert world.sell(holder, 1000)["balances"]
