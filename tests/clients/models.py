"""The examples of the API's description, as a generated client reads them and writes them again."""

import json
from datetime import datetime
from typing import Any

from tests import openapi

DOCUMENT = json.loads(openapi.STORED.read_text("utf-8"))
OF_LATER = "of_later"
"""A member or a value that clients of today do not know."""


def examples() -> list[tuple[str, Any]]:
    """Each body that an operation takes or answers, with the name of its model.

    Not of deprecated operations: generators merge the two kinds of answers that one of them has.
    """
    found = []
    for methods in DOCUMENT["paths"].values():
        for operation in methods.values():
            if operation.get("deprecated"):
                continue
            for holder in (operation.get("requestBody", {}), *operation["responses"].values()):
                for content in holder.get("content", {}).values():
                    if "$ref" in content["schema"]:
                        found += [(_last(content["schema"]), value) for value in _values(content)]
    unique = {json.dumps(example): example for example in found}
    return list(unique.values())


def _values(content: dict[str, Any]) -> list[Any]:
    named = [DOCUMENT["components"]["examples"][_last(each)]["value"] for each in content.get("examples", {}).values()]
    return [*named, content["example"]] if "example" in content else named


def _last(reference: dict[str, str]) -> str:
    return reference["$ref"].rpartition("/")[2]


def with_news(value: Any) -> Any:
    """The same from a later release: every object has one more member."""
    if isinstance(value, dict):
        return {name: with_news(member) for name, member in value.items()} | {OF_LATER: [OF_LATER]}
    return [with_news(each) for each in value] if isinstance(value, list) else value


def plain(value: Any) -> Any:
    """Comparable: without what is null, which is as good as absent here, or of later, and with times as times."""
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items() if member is not None and name != OF_LATER}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, str) and value.endswith("Z"):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            return value
    return value
