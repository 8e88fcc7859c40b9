"""A Postman collection of the API, which Bruno and Insomnia import too, made from its OpenAPI document.

It has what a person needs to try the API by hand: the address and the token as variables, an example of each body and
parameter, and a new idempotency key for each request. What is deprecated is left out.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

type Json = dict[str, Any]

_SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
_VARIABLES = {"address": "http://localhost:8080", "token": ""}


def collection(document: Mapping[str, Any]) -> Json:
    """The collection, with a folder for each tag."""
    folders: dict[str, list[Json]] = {tag["name"]: [] for tag in document["tags"]}
    for path, methods in sorted(document["paths"].items()):
        for method, operation in sorted(methods.items()):
            if not operation.get("deprecated"):
                folders[operation["tags"][0]].append(_item(document, method, path, operation))
    return {
        "info": {"name": document["info"]["title"], "schema": _SCHEMA},
        "auth": {"type": "bearer", "bearer": [{"key": "token", "value": "{{token}}", "type": "string"}]},
        "variable": [{"key": key, "value": value} for key, value in _VARIABLES.items()],
        "item": [{"name": tag, "item": items} for tag, items in folders.items()],
    }


def _item(document: Mapping[str, Any], method: str, path: str, operation: Json) -> Json:
    given: dict[str, list[Json]] = {"path": [], "query": [], "header": []}
    for parameter in operation["parameters"]:
        if not parameter.get("deprecated"):
            given[parameter["in"]].append(_parameter(parameter))
    steps = re.sub(r"{(\w+)}", r":\1", path).strip("/")
    url = {"raw": f"{{{{address}}}}/{steps}", "host": ["{{address}}"], "path": steps.split("/")}
    request: Json = {
        "method": method.upper(),
        "description": operation["description"],
        "header": given["header"],
        "url": url | {"variable": given["path"], "query": given["query"]},
    }
    if "security" in operation:
        request["auth"] = {"type": "noauth"}
    if "requestBody" in operation:
        example = next(iter(operation["requestBody"]["content"]["application/json"]["examples"]))
        value = document["components"]["examples"][example]["value"]
        raw = json.dumps(value, indent=2, ensure_ascii=False)
        request["body"] = {"mode": "raw", "raw": raw, "options": {"raw": {"language": "json"}}}
    return {"name": operation["summary"], "request": request}


def _parameter(parameter: Json) -> Json:
    """One that may be left out is, but for the key."""
    is_key = parameter["name"] == "idempotency-key"
    value = "{{$guid}}" if is_key else str(parameter["example"])
    made = {"key": parameter["name"], "value": value, "description": parameter["description"]}
    return made if is_key or parameter.get("required") else made | {"disabled": True}
