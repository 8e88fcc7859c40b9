"""The OpenAPI 3.1 document: what powertools makes of the routes and models, and what a reader needs beside."""

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

from functions.accounts_api.openapi import texts
from functions.accounts_api.openapi.docstrings import members, models, summary_and_description, text
from shared.contracts.api.bodies import Accepted, Answered, FieldError, Problem
from shared.contracts.texts import problem_text
from shared.entrypoints.headers import JSON, PUBLIC_PATHS
from shared.entrypoints.http import PROBLEM_JSON

type Json = dict[str, Any]

_EXAMPLES = Path(__file__).with_name("examples.json")
_REFERENCE = "#/components/schemas/{model}"
_REQUEST_ID = "JKJaXmPLvHcESHA="
_OLDER_WAYS = {("selectAccounts", "200"): "2XX"}
"""Answers to what has a route of its own by now, under their range of statuses.

Generators give an operation the type of its lowest status.
"""


def rendered(app: APIGatewayHttpResolver, resources: Mapping[str, ModuleType]) -> str:
    """The document as JSON. `resources`: by its tag, each module that has routes of `app`."""
    document = json.loads(app.get_openapi_json_schema(title="synced-accounts", version="1", description=texts.ABOUT))
    document["info"] |= {"license": {"name": "MIT", "identifier": "MIT"}, "contact": {"name": texts.CONTACT}}
    document["tags"] = [{"name": tag, "description": says} for tag, says in texts.TAGS.items()]
    document["security"] = [{"token": []}]
    examples = json.loads(_EXAMPLES.read_bytes())
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            tag, function = _function(operation, path, method, resources)
            _name(operation, tag, function)
            _parameters(operation, path, examples["parameters"])
            _answers(operation, path, method)
            _with_examples(operation, examples["operations"][operation["operationId"]])
    used = {name for operation in examples["operations"].values() for names in operation.values() for name in names}
    components = document["components"]
    components["examples"] = {name: {"value": examples["bodies"][name]} for name in sorted(used)}
    components["examples"] |= _problem_examples(document, examples["invalid_request"])
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": texts.BEARER}
    }
    components["schemas"] = _schemas(document)
    return json.dumps(document)


# --- operations


def _function(operation: Json, path: str, method: str, resources: Mapping[str, ModuleType]) -> tuple[str, FunctionType]:
    """The tag and the function of a route. Powertools names an operation after function, path and method."""
    name = operation["operationId"].removesuffix(re.sub(r"\W", "_", path) + "_" + method)
    for tag, module in resources.items():
        function = vars(module).get(name)
        if isinstance(function, FunctionType) and function.__module__ == module.__name__:
            return tag, function
    raise LookupError(f"no module has the route {name}")


def _name(operation: Json, tag: str, function: FunctionType) -> None:
    first, *others = function.__name__.split("_")
    operation["operationId"] = first + "".join(word.capitalize() for word in others)
    operation["tags"] = [tag]
    operation["summary"], operation["description"] = summary_and_description(function)


def _parameters(operation: Json, path: str, examples: Json) -> None:
    parameters = operation.setdefault("parameters", [])
    if path.startswith("/v1/") and path not in PUBLIC_PATHS:
        schema = {"type": "string", "default": "fr"}
        parameters.append(
            {
                "name": "accept-language",
                "in": "header",
                "required": False,
                "schema": schema,
                "description": texts.ACCEPT_LANGUAGE,
            }
        )
    for parameter in parameters:
        parameter["schema"].pop("description", None)
        parameter["example"] = examples[parameter["name"]]


def _answers(operation: Json, path: str, method: str) -> None:
    if path in PUBLIC_PATHS:
        operation["security"] = []
    responses: Json = operation["responses"]
    for status, codes in _usual_problems(operation, path, method).items():
        _problem(responses, status, codes)
    responses["429"] = {}
    for name, response in responses.items():
        status = int(name)
        if status in {204, 304}:
            response.pop("content", None)
        if status >= 400:
            known = list(response.get("content", {}).get(PROBLEM_JSON, {}).get("examples", ()))
            listed = ", ".join(f"`{code}`" for code in known)
            response["description"] = texts.PROBLEMS[status] + (f" Codes: {listed}." if listed else "")
        if status in texts.MESSAGES:
            schema = {"$ref": _REFERENCE.format(model="GatewayMessage")}
            example = {"message": texts.MESSAGES[status]}
            response.setdefault("content", {})[JSON] = {"schema": schema, "example": example}
        if status == 503:
            response["headers"] = {"Retry-After": {}}
        headers = {header: texts.HEADERS[header] for header in response.pop("headers", ())}
        if headers:
            response["headers"] = headers
    shown = {_OLDER_WAYS.get((operation["operationId"], name), name): answer for name, answer in responses.items()}
    operation["responses"] = dict(sorted(shown.items()))


def _usual_problems(operation: Json, path: str, method: str) -> dict[int, list[str]]:
    """What each route of its kind may answer, whatever it is for, by status."""
    usual: dict[int, list[str]] = {
        422: ["invalid_request"],
        500: ["internal_error"],
        503: ["temporarily_unavailable", "store_unavailable"],
    }
    if path.startswith("/v1/") and path not in PUBLIC_PATHS:
        usual |= {401: ["unauthenticated"], 403: ["insufficient_scope"], 502: ["refused_by_powens"]}
    if "{" in path:
        usual[404] = []
    names = {parameter["name"] for parameter in operation["parameters"]}
    if method != "get":
        usual |= {404: [], 413: ["body_too_large"]}
        usual[422] += ["unknown_parameter", "repeated_parameter"]
    if "idempotency-key" in names:
        # Whoever is being erased changes nothing.
        usual[409] = ["user_being_erased"]
        usual[422] += ["invalid_idempotency_key", "idempotency_key_reused"]
    if "requestBody" in operation:
        usual[400] = ["invalid_json"]
    if "if-match" in names:
        usual[412] = ["revision_mismatch"]
    return usual


def _problem(responses: Json, status: int, codes: list[str]) -> None:
    """Adds problems to those that the route names; `not_found` where a status has no other."""
    content = responses.setdefault(str(status), {}).setdefault("content", {})
    content.pop(JSON, None)
    problem = content.setdefault(PROBLEM_JSON, {})
    problem["schema"] = {"$ref": _REFERENCE.format(model="Problem")}
    examples = problem.setdefault("examples", {})
    for code in codes or ([] if examples else ["not_found"]):
        examples[code] = {"$ref": f"#/components/examples/Problem-{status}-{code}"}


# --- examples


def _with_examples(operation: Json, names: Mapping[str, list[str]]) -> None:
    """`names`: of examples, by the status of the answer, or `request`."""
    for where, chosen in names.items():
        holder = operation["requestBody"] if where == "request" else operation["responses"][where]
        (content,) = [content for kind, content in holder["content"].items() if kind == JSON]
        content["examples"] = {name: {"$ref": f"#/components/examples/{name}"} for name in chosen}


def _problem_examples(document: Json, invalid_request: list[Json]) -> Json:
    """One for each status and code that an operation names."""
    found = sorted(set(re.findall(r'"#/components/examples/(Problem-(\d+)-(\w+))"', json.dumps(document["paths"]))))
    return {
        name: {
            "summary": problem_text(code, "en", status=int(status)),
            "value": _example_problem(int(status), code, invalid_request).model_dump(exclude_none=True),
        }
        for name, status, code in found
    }


def _example_problem(status: int, code: str, invalid_request: list[Json]) -> Problem:
    errors = tuple(FieldError(**error) for error in invalid_request) if code == "invalid_request" else ()
    return Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=problem_text(code, "en", status=status),
        code=code,
        request_id=_REQUEST_ID,
        field=errors[0].field if errors else None,
        errors=errors or None,
    )


# --- schemas


def _schemas(document: Json) -> Json:
    """Those that something refers to, with what models and their members say of themselves."""
    schemas: Json = document["components"]["schemas"]
    problem = Problem.model_json_schema(mode="serialization", ref_template=_REFERENCE)
    schemas |= problem.pop("$defs") | {"Problem": problem, "GatewayMessage": texts.MESSAGE}
    described = {model.__name__: model for base in (Accepted, Answered) for model in models(base)}
    for name, schema in schemas.items():
        if name in described:
            schema["description"] = text(described[name])
            for member, says in members(described[name]).items():
                schema["properties"][member]["description"] = says
        elif name in texts.VALUES:
            meanings = [f"- `{value}`: {meaning}" for value, meaning in texts.VALUES[name].items()]
            schema["description"] = "\n".join(meanings)
    return {name: schemas[name] for name in sorted(_referred(document, schemas))}


def _referred(document: Json, schemas: Json) -> set[str]:
    """Names of schemas that the operations refer to, directly or through others."""
    found: set[str] = set()
    looking = [document["paths"]]
    while looking:
        new = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(looking))) - found
        found |= new
        looking = [schemas[name] for name in new]
    return found
