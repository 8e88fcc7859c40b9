"""The API's description as something to work with: complete, free of contradictions, and each example as it says."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from functions.accounts_api.openapi import texts
from shared.contracts.texts import locale_texts
from shared.domain.connection import AccountType, ItemStatus, OperationKind, OperationStatus
from shared.domain.diagnosis_rules import DiagnosisAnswer, DiagnosisReason
from shared.domain.facts import Cause, Change
from shared.domain.status import AccountStatus, ConnectionStatus, Freshness, NextStep, Who
from tests import openapi

type Json = dict[str, Any]

ROOT = Path(__file__).parents[2]

PUBLIC = {"GET /health", "GET /v1/openapi.json"}
ENUMS: tuple[type[StrEnum], ...] = (
    *(AccountStatus, AccountType, Cause, Change, ConnectionStatus, DiagnosisAnswer, DiagnosisReason, Freshness),
    *(ItemStatus, NextStep, OperationKind, OperationStatus, Who),
)
DOCUMENT = openapi.rendered()
OPERATIONS: dict[str, Json] = {
    f"{method.upper()} {path}": operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
SCHEMAS: Json = DOCUMENT["components"]["schemas"]
each_operation = pytest.mark.parametrize("route", OPERATIONS)
each_schema = pytest.mark.parametrize("name", SCHEMAS)


def resolved(part: Json) -> Json:
    """Without a reference at its top."""
    if "$ref" not in part:
        return part
    found: Any = DOCUMENT
    for step in part["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    target: Json = found
    return target


def bodies(operation: Json) -> Iterator[tuple[str, str, Json]]:
    """The content of the request and of each answer: where, its media type, and what is said of it."""
    holders = {"request": operation.get("requestBody", {})} | operation["responses"]
    for where, holder in holders.items():
        for kind, content in holder.get("content", {}).items():
            yield where, kind, content


def examples(content: Json) -> list[Any]:
    single = [content["example"]] if "example" in content else []
    return single + [resolved(example)["value"] for example in content.get("examples", {}).values()]


def validate(value: Any, schema: Json) -> None:
    # References lead into the document, so it is the root.
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "components": {"schemas": SCHEMAS}}
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(whole, format_checker=checker).validate(value)


def test_every_operation_has_a_name_of_its_own_that_begins_with_a_verb() -> None:
    names = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z]+([A-Z][a-z]+)+", name) for name in names)


@each_operation
def test_an_operation_says_what_it_does_and_has_a_tag_that_is_described(route: str) -> None:
    operation = OPERATIONS[route]
    (tag,) = operation["tags"]
    assert tag in {described["name"] for described in DOCUMENT["tags"] if described["description"]}
    assert operation["summary"]
    assert not operation["summary"].endswith(".")
    assert operation["description"].endswith(".")


def test_every_tag_has_operations() -> None:
    assert set(texts.TAGS) == {tag for operation in OPERATIONS.values() for tag in operation["tags"]}


@each_operation
def test_a_parameter_is_described_and_its_example_is_one_that_it_takes(route: str) -> None:
    parameters = OPERATIONS[route].get("parameters", [])
    assert len({(parameter["in"], parameter["name"]) for parameter in parameters}) == len(parameters)
    in_path = {parameter["name"] for parameter in parameters if parameter["in"] == "path"}
    assert in_path == set(re.findall(r"{(\w+)}", route))
    for parameter in parameters:
        assert parameter["description"].endswith(".")
        validate(parameter["example"], parameter["schema"])


@each_operation
def test_what_an_operation_takes_and_answers_has_examples_that_are_as_it_says(route: str) -> None:
    for where, kind, content in bodies(OPERATIONS[route]):
        if kind == "image/png":
            continue
        assert examples(content), f"{where} {kind}"
        for value in examples(content):
            validate(value, content["schema"])


@each_operation
def test_an_answer_is_described_and_its_body_has_a_name(route: str) -> None:
    for status, response in OPERATIONS[route]["responses"].items():
        assert response["description"].endswith(".")
        assert ("content" in response) == (status not in {"204", "304"})
        for header in response.get("headers", {}).values():
            assert header["description"].endswith(".")
    for where, kind, content in bodies(OPERATIONS[route]):
        # A generator that has no name for a body makes one up, or passes over the answer.
        assert "$ref" in content["schema"] or kind == "image/png" or route == "GET /v1/openapi.json", where


@each_operation
def test_two_answers_that_say_different_things_have_different_schemas(route: str) -> None:
    said = {
        status: content["schema"].get("$ref")
        for status, kind, content in bodies(OPERATIONS[route])
        if status.startswith("2") and kind == "application/json"
    }
    assert len(set(said.values())) == len(said) or route == "POST /v1/wishes"


@each_operation
def test_an_operation_has_one_shape_of_answers_but_for_what_is_deprecated(route: str) -> None:
    """Generators give it one type: that of its lowest status. A range such as 2XX is none."""
    shapes = {
        json.dumps(resolved(content["schema"]).get("properties"))
        for status, kind, content in bodies(OPERATIONS[route])
        if re.fullmatch(r"2\d\d", status) and "$ref" in content["schema"]
    }
    if OPERATIONS[route].get("deprecated"):
        return
    assert "null" not in shapes, "a union, of which generators make a mixture"
    # `enabled`, which is deprecated, is answered with an operation.
    assert len(shapes) <= (2 if route == "PATCH /v1/accounts/{account_id}" else 1)


@each_operation
def test_an_operation_says_who_may_call_it_and_what_happens_when_all_do_at_once(route: str) -> None:
    security = OPERATIONS[route].get("security", DOCUMENT["security"])
    assert security == ([] if route in PUBLIC else [{"token": []}])
    assert ("401" in OPERATIONS[route]["responses"]) == (route not in PUBLIC)
    assert "429" in OPERATIONS[route]["responses"]
    assert "Retry-After" in OPERATIONS[route]["responses"]["503"]["headers"]


@each_operation
def test_a_problem_has_an_example_for_each_code_that_it_lists(route: str) -> None:
    for status, response in OPERATIONS[route]["responses"].items():
        problem = response.get("content", {}).get("application/problem+json")
        if problem is None:
            assert status < "400" or status == "429"
            continue
        assert problem["schema"] == {"$ref": "#/components/schemas/Problem"}
        for code, example in problem["examples"].items():
            value = resolved(example)["value"]
            assert (value["code"], value["status"]) == (code, int(status))
            assert f"`{code}`" in response["description"]
            assert int(status) >= 500 or f"problem.{code}" in locale_texts("en"), "a text of its own"


@each_schema
def test_a_schema_and_all_of_its_members_are_described(name: str) -> None:
    assert SCHEMAS[name]["description"]
    for member, schema in SCHEMAS[name].get("properties", {}).items():
        assert schema.get("description", "").endswith("."), member


@each_schema
def test_a_member_may_be_null_in_one_way_only_and_says_so_when_null_is_its_default(name: str) -> None:
    for member, schema in SCHEMAS[name].get("properties", {}).items():
        assert "nullable" not in schema
        assert not isinstance(schema.get("type"), list)
        may_be_null = {"type": "null"} in schema.get("anyOf", [])
        assert may_be_null or "default" not in schema or schema["default"] is not None, member
        assert "properties" not in schema, f"{member}: give it a model, so that it has a name"


@each_schema
def test_times_and_addresses_say_their_form(name: str) -> None:
    for member, schema in SCHEMAS[name].get("properties", {}).items():
        forms = {part.get("format") for part in (schema, *schema.get("anyOf", []))}
        if member.endswith(("_at", "_until")) or member in {"at", "since"}:
            assert "date-time" in forms, member
        if member in {"url", "logo_url"}:
            assert "uri" in forms, member


def test_nothing_is_described_that_nothing_refers_to() -> None:
    written = json.dumps(DOCUMENT)
    for kind in ("schemas", "examples"):
        assert set(re.findall(rf'"#/components/{kind}/([^"]+)"', written)) == set(DOCUMENT["components"][kind])


@pytest.mark.parametrize("values", ENUMS, ids=lambda values: values.__name__)
def test_every_value_of_a_list_has_its_meaning(values: type[StrEnum]) -> None:
    assert list(texts.VALUES[values.__name__]) == SCHEMAS[values.__name__]["enum"] == list(values)


def test_the_values_of_every_list_are_looked_at() -> None:
    listed = {name for name, schema in SCHEMAS.items() if "enum" in schema}
    assert listed == {values.__name__ for values in ENUMS} == set(texts.VALUES)


def test_a_cold_start_imports_nothing_of_the_description() -> None:
    check = "import sys, functions.accounts_api.routes; print([n for n in sys.modules if 'accounts_api.openapi' in n])"
    ran = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
