"""The AsyncAPI document and the schemas for EventBridge's registry say what the schemas of the events say."""

import json
from typing import Any

import jsonschema
import pytest

from local.intrinsics import load
from shared.domain.facts import FactType
from tests.integration.event_documents import ASYNCAPI, REGISTRY, ROOT, asyncapi, registry
from tests.integration.event_schemas import FOLDER

KINDS = pytest.mark.parametrize("kind", FactType, ids=lambda kind: kind.value)
WRITE_ANEW = "write it anew: python -m tests.integration.event_schemas"


def example(kind: FactType) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / "events/examples" / f"{kind.value}.json").read_text("utf-8"))
    return event


def broken(event: dict[str, Any]) -> list[dict[str, Any]]:
    """The same with one mistake each."""
    lacking = [{name: part for name, part in event.items() if name != left_out} for left_out in event]
    details = ({"metadata": event["detail"]["metadata"]}, {"data": event["detail"]["data"]}, "text")
    return [*lacking, *(event | {"detail": detail} for detail in details)]


def test_the_stored_documents_are_the_ones_that_are_made() -> None:
    assert json.loads(ASYNCAPI.read_text("utf-8")) == asyncapi(), WRITE_ANEW
    assert REGISTRY.read_text("utf-8") == registry(), WRITE_ANEW


@KINDS
def test_the_asyncapi_document_takes_the_example_of_each_event_and_nothing_that_lacks_something(kind: FactType) -> None:
    message = json.loads(ASYNCAPI.read_text("utf-8"))["components"]["messages"][kind.value]
    payload = message["payload"]
    where = ASYNCAPI.parent / payload["properties"]["detail"]["$ref"]
    assert where.resolve() == FOLDER / f"{kind.value}.json"
    payload["properties"]["detail"] = json.loads(where.read_text("utf-8"))
    validator = jsonschema.Draft202012Validator({"$defs": payload["properties"]["detail"].pop("$defs")} | payload)
    assert validator.is_valid(message["examples"][0]["payload"])
    assert [event for event in broken(example(kind)) if "resources" in event and validator.is_valid(event)] == []
    assert not validator.is_valid(example(kind) | {"detail-type": "Another"})


def nullable(validator: Any, types: Any, value: Any, schema: Any) -> Any:
    """What OpenAPI 3.0 means by a type."""
    if value is None and schema.get("nullable"):
        return ()
    return jsonschema.Draft4Validator.VALIDATORS["type"](validator, types, value, schema)


@KINDS
def test_the_registry_takes_the_example_of_each_event_and_nothing_that_lacks_something(kind: FactType) -> None:
    resource = load(REGISTRY.read_text("utf-8"))["Resources"][kind.value]["Properties"]
    assert resource["SchemaName"] == f"synced-accounts@{kind.value}"
    document = json.loads(resource["Content"])
    made = jsonschema.validators.extend(jsonschema.Draft4Validator, {"type": nullable})  # type: ignore[no-untyped-call]
    validator = made({"$ref": "#/components/schemas/AWSEvent", "components": document["components"]})
    assert validator.is_valid(example(kind))
    assert [event for event in broken(example(kind)) if validator.is_valid(event)] == []
    text = json.dumps(document)
    assert not any(word in text for word in ('"$defs', '"const"', '"null"', '"anyOf"', '"if"'))


def test_no_schema_of_the_registry_closes_what_may_grow() -> None:
    assert "additionalProperties" not in REGISTRY.read_text("utf-8")
