"""Each kind of change that a client or a listener would notice is a break, and each one that they would not is none."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.compatibility import Direction, api_breaks, schema_breaks

type Edit = Callable[[Any], object]

API: dict[str, Any] = {
    "paths": {
        "/things/{id}": {
            "put": {
                "security": [{"key": []}],
                "parameters": [
                    {"in": "path", "name": "id", "required": True, "schema": {"type": "string"}},
                    {"in": "query", "name": "limit", "schema": {"type": "integer", "maximum": 9, "default": 5}},
                ],
                "requestBody": {"content": {"json": {"schema": {"$ref": "#/components/schemas/Thing"}}}},
                "responses": {
                    "200": {
                        "headers": {"ETag": {}},
                        "content": {"json": {"schema": {"$ref": "#/components/schemas/Thing"}}},
                    },
                    "404": {"description": "none"},
                },
            },
            "get": {"responses": {"200": {"description": "one"}}},
            "delete": {"responses": {"204": {"content": {"json": {"schema": {}}}}}},
        },
        "/health": {"get": {"responses": {"200": {"description": "well"}}}},
    },
    "components": {
        "schemas": {
            "Thing": {
                "type": "object",
                "required": ["name"],
                "additionalProperties": True,
                "properties": {
                    "name": {"type": "string", "minLength": 1, "maxLength": 9, "pattern": "^a"},
                    "color": {"anyOf": [{"enum": ["red", "blue"], "type": "string"}, {"type": "null"}]},
                    "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}},
                    "sizes": {"type": "object", "additionalProperties": {"type": "integer"}},
                    "note": {"type": "string"},
                },
            }
        }
    },
}


def thing(api: Any) -> Any:
    return api["components"]["schemas"]["Thing"]


def member(api: Any, name: str) -> Any:
    return thing(api)["properties"][name]


def put(api: Any) -> Any:
    return api["paths"]["/things/{id}"]["put"]


def breaks(edit: Edit) -> list[str]:
    changed = copy.deepcopy(API)
    edit(changed)
    return api_breaks(API, changed)


def with_required_parameter(api: Any) -> None:
    put(api)["parameters"].append({"in": "header", "name": "x", "required": True, "schema": {"type": "string"}})


def under_its_range(api: Any) -> Any:
    """The answers of the operation, one of them said of all statuses that begin as its own does."""
    answers = put(api)["responses"]
    answers["2XX"] = answers.pop("200")
    return answers


BREAKS: dict[str, Edit] = {
    "/health: is gone": lambda api: api["paths"].pop("/health"),
    "GET /things/{id}: is gone": lambda api: api["paths"]["/things/{id}"].pop("get"),
    "who may call it has changed": lambda api: put(api).update(security=[{"token": []}]),
    "query limit: is gone": lambda api: put(api)["parameters"].pop(),
    "query limit: is required now": lambda api: put(api)["parameters"][1].update(required=True),
    "query limit: maximum was 9, is 8": lambda api: put(api)["parameters"][1]["schema"].update(maximum=8),
    "query limit: the default was 5, is 6": lambda api: put(api)["parameters"][1]["schema"].update(default=6),
    "header x: is required now": with_required_parameter,
    "body: is required now": lambda api: put(api)["requestBody"].update(required=True),
    "body: is gone": lambda api: put(api).pop("requestBody"),
    "body json: is gone": lambda api: put(api)["requestBody"]["content"].clear(),
    "-> 404: is gone": lambda api: put(api)["responses"].pop("404"),
    "-> 200 header ETag: is gone": lambda api: put(api)["responses"]["200"].pop("headers"),
    "-> 200 json: is gone": lambda api: put(api)["responses"]["200"].pop("content"),
    "PUT /things/{id} -> 200 header ETag: is gone": lambda api: under_its_range(api)["2XX"].pop("headers"),
    "body property note: is gone": lambda api: thing(api)["properties"].pop("note"),
    "-> 200 property note: is gone": lambda api: thing(api)["properties"].pop("note"),
    "body property note: is required now": lambda api: thing(api)["required"].append("note"),
    "-> 200 property name: may be absent now": lambda api: thing(api)["required"].remove("name"),
    "note: was string, is integer": lambda api: member(api, "note").update(type="integer"),
    "color: an alternative is gone: null": lambda api: member(api, "color")["anyOf"].pop(),
    "200.color: may be something else now: integer": lambda api: member(api, "color")["anyOf"].append(
        {"type": "integer"}
    ),
    "200.note: may be something else now: null": lambda api: member(api, "note").update(type=["string", "null"]),
    "color value red: is gone": lambda api: member(api, "color")["anyOf"][0]["enum"].remove("red"),
    "note: only some values are left": lambda api: member(api, "note").update(const="one"),
    "parts[]: was object, is string": lambda api: member(api, "parts").update(items={"type": "string"}),
    "sizes.*: was integer, is string": lambda api: member(api, "sizes").update(additionalProperties={"type": "string"}),
    "sizes: other members are no longer promised": lambda api: member(api, "sizes").pop("additionalProperties"),
    "body: other members are no longer accepted": lambda api: thing(api).update(additionalProperties=False),
    "body.name: minLength was 1, is 2": lambda api: member(api, "name").update(minLength=2),
    "body.name: maxLength was 9, is 8": lambda api: member(api, "name").update(maxLength=8),
    "body.note: maxLength was None, is 8": lambda api: member(api, "note").update(maxLength=8),
    "200.name: minLength was 1, is None": lambda api: member(api, "name").pop("minLength"),
    "200.name: maxLength was 9, is 10": lambda api: member(api, "name").update(maxLength=10),
    "body.name: pattern was ^a, is ^b": lambda api: member(api, "name").update(pattern="^b"),
    "200.name: pattern was ^a, is None": lambda api: member(api, "name").pop("pattern"),
    "note: if has changed": lambda api: member(api, "note").update({"if": {}}),
}


@pytest.mark.parametrize("told", BREAKS)
def test_a_change_that_a_client_notices_is_told_with_its_place(told: str) -> None:
    assert any(told in line for line in breaks(BREAKS[told])), breaks(BREAKS[told])


HARMLESS: dict[str, Edit] = {
    "nothing": lambda _: None,
    "a path": lambda api: api["paths"].update({"/new": {"get": {"responses": {"200": {}}}}}),
    "an operation": lambda api: api["paths"]["/health"].update(head={"responses": {"200": {}}}),
    "the range of a status": under_its_range,
    "a status": lambda api: put(api)["responses"].update({"410": {}}),
    "a parameter": lambda api: put(api)["parameters"].append({"in": "query", "name": "x", "schema": {}}),
    "a wider parameter": lambda api: put(api)["parameters"][1]["schema"].update(maximum=90),
    "a parameter that may be absent now": lambda api: put(api)["parameters"][0].update(required=False),
    "a property": lambda api: thing(api)["properties"].update(more={"type": "string"}),
    "a value": lambda api: member(api, "color")["anyOf"][0]["enum"].append("green"),
    "who may call what, where nothing said so": lambda api: api["paths"]["/health"]["get"].update(security=[]),
    "no body where there can be none": lambda api: api["paths"]["/things/{id}"]["delete"]["responses"]["204"].clear(),
    "words": lambda api: thing(api).update(title="A thing", description="of some kind", examples=[{}]),
    "the order": lambda api: member(api, "color")["anyOf"].reverse(),
}


@pytest.mark.parametrize("edit", HARMLESS.values(), ids=HARMLESS)
def test_a_change_that_no_client_notices_is_none(edit: Edit) -> None:
    assert breaks(edit) == []


def test_a_schema_that_is_renamed_or_written_out_where_it_is_used_is_the_same() -> None:
    changed = copy.deepcopy(API)
    changed["components"]["schemas"]["Item"] = thing(changed)
    put(changed)["requestBody"]["content"]["json"]["schema"] = {"$ref": "#/components/schemas/Item"}
    put(changed)["responses"]["200"]["content"]["json"]["schema"] = {"oneOf": [thing(changed)]}
    assert api_breaks(API, changed) == []


EVENT = {
    "$defs": {"Kind": {"type": "string", "enum": ["a", "b"]}},
    "type": "object",
    "required": ["kind", "version"],
    "additionalProperties": False,
    "properties": {"kind": {"$ref": "#/$defs/Kind"}, "version": {"const": 1, "type": "integer"}},
}


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda event: event["properties"].pop("kind"), ["property kind: is gone"]),
        (lambda event: event["required"].remove("kind"), ["property kind: may be absent now"]),
        (lambda event: event["$defs"]["Kind"]["enum"].remove("a"), ["kind value a: is gone"]),
        (lambda event: event["properties"]["version"].update(const=2), ["version value 1: is gone"]),
        (lambda event: event["properties"].update(more={"type": "string"}), []),
        (lambda event: event["$defs"]["Kind"]["enum"].append("c"), []),
    ],
)
def test_an_event_is_held_to_what_it_promised(edit: Edit, told: list[str]) -> None:
    changed = copy.deepcopy(EVENT)
    edit(changed)
    assert [line.strip() for line in schema_breaks(EVENT, changed, Direction.PROMISED)] == told
