"""Every answer of the API is one that its description promises: the status, the code of a problem, and the body."""

import json
import re
from functools import cache
from typing import Any

import jsonschema_rs

from tests import openapi

type Json = dict[str, Any]


def check_described(event: Json, answer: Json) -> None:
    """Raises AssertionError for an answer to `event`, both as Lambda has them, that no client would expect."""
    operation = _operation(event["requestContext"]["http"]["method"], event["rawPath"])
    if operation is None:
        return  # no address of the API, or one that only Powens sends browsers to
    status, body = str(answer["statusCode"]), answer.get("body")
    where = f"{operation['operationId']} {status}"
    response = openapi.promised(operation, status)
    assert response is not None, where
    assert bool(body) == ("content" in response), where
    assert {"ETag", "Location"} & set(answer["headers"]) <= set(response.get("headers", {})), where
    kind = {name.lower(): value for name, value in answer["headers"].items()}.get("content-type")
    if not body or kind == "image/png":
        return
    content = response["content"][kind]
    value = json.loads(body)
    if value.get("code") == "route_not_found":
        return  # an address that only looks like one of the operation's
    if kind == "application/problem+json":
        assert value["code"] in content["examples"], f"{where} {value['code']}"
    _validator(json.dumps(content["schema"])).validate(value)


@cache
def _document() -> Json:
    return openapi.rendered()


@cache
def _routes() -> list[tuple[str, re.Pattern[str], Json]]:
    """Those without parameters first."""
    routes = []
    for path, methods in sorted(_document()["paths"].items(), key=lambda item: item[0].count("{")):
        pattern = re.compile(re.sub(r"{\w+}", "[^/]+", path))
        routes += [(method.upper(), pattern, operation) for method, operation in methods.items()]
    return routes


def _operation(method: str, path: str) -> Json | None:
    for known, pattern, operation in _routes():
        if known == method and pattern.fullmatch(path):
            return operation
    return None


@cache
def _validator(schema: str) -> Any:
    whole = {**json.loads(schema), "components": _document()["components"]}
    return jsonschema_rs.validator_for(whole, validate_formats=True)
