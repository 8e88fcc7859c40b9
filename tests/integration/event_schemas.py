"""The JSON Schemas of the published events, made from the contract's model and narrowed to each detail type.

`python -m tests.integration.event_schemas` writes them to `events/schemas`, and what `event_documents` makes from them;
tests hold the files to what it makes.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

from shared.contracts.events import EventDetail
from shared.domain.facts import Change, FactType

FOLDER = Path(__file__).parents[2] / "events" / "schemas"

_MEMBERS: dict[FactType, tuple[str, ...]] = {
    FactType.ACCOUNTS_UPDATED: ("accounts",),
    FactType.CONNECTION_UPDATED: ("connection_id", "status"),
    FactType.CONNECTION_REMOVED: ("connection_id", "accounts"),
    FactType.OPERATION_ENDED: ("connection_id", "status", "operation_id"),
    FactType.ACCOUNT_NOW_AVAILABLE: ("wish_id", "institution_id", "type"),
    FactType.USER_ERASED: (),
}
"""What `data` has beside `user_id` and `revision`; `accounts` is always there, empty where nothing is named."""
_SAYS = {
    FactType.ACCOUNTS_UPDATED: (
        "Accounts of a connection changed: one confirm is one event. Without connection_id: a manual "
        "account changed; revision is then that account's own."
    ),
    FactType.CONNECTION_UPDATED: "What the user is told about a connection changed.",
    FactType.CONNECTION_REMOVED: "A connection is gone, with the accounts it had.",
    FactType.OPERATION_ENDED: "Something that the user asked for has ended; it changes no account by itself.",
    FactType.ACCOUNT_NOW_AVAILABLE: "An institution now gives a type of account that a user wished for; told once.",
    FactType.USER_ERASED: "Everything held about a user is erased, here and at Powens.",
}


def schema_of(kind: FactType) -> dict[str, Any]:
    """The schema of the `detail` of this detail type."""
    schema = EventDetail.model_json_schema(mode="serialization")
    definitions = schema["$defs"]
    definitions["Metadata"]["properties"]["occurred_at"] |= {"pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"}
    definitions["Metadata"]["required"] = list(definitions["Metadata"]["properties"])
    data = definitions["Data"]
    members = _MEMBERS[kind]
    for optional in ("connection_id", "status", "operation_id", "wish_id", "institution_id", "type"):
        if optional in members or (optional == "connection_id" and kind is FactType.ACCOUNTS_UPDATED):
            data["properties"][optional] = {"type": "string", "minLength": 1}
        else:
            del data["properties"][optional]
    if "type" in members:
        data["properties"]["type"] = {"$ref": "#/$defs/AccountType"}
    data["required"] = ["user_id", "revision", "accounts", *(name for name in members if name != "accounts")]
    data["properties"]["revision"]["minimum"] = 0
    accounts = data["properties"]["accounts"]
    if "accounts" not in members:
        accounts["maxItems"] = 0
    elif kind is FactType.ACCOUNTS_UPDATED:
        accounts["minItems"] = 1
    removed = Change.REMOVED.value
    if kind is FactType.CONNECTION_REMOVED:
        definitions["Change"]["enum"] = [removed]
    elif kind is not FactType.ACCOUNTS_UPDATED:
        definitions["Change"]["enum"].remove(removed)
    else:
        # A manual account, which has no connection, is alone in its events.
        data["else"] = {"properties": {"accounts": {"maxItems": 1}}}
        data["if"] = {"required": ["connection_id"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": kind.value,
        "description": _SAYS[kind],
    }


@cache
def _validator(kind: str) -> jsonschema.Draft202012Validator:
    schema = json.loads((FOLDER / f"{kind}.json").read_text("utf-8"))
    return jsonschema.Draft202012Validator(schema)


def check(kind: str, detail: object) -> None:
    """Raises jsonschema.ValidationError for a detail that is not what the stored schema says."""
    _validator(kind).validate(detail)


def main() -> None:
    from tests.integration import event_documents  # made of what is above

    FOLDER.mkdir(parents=True, exist_ok=True)
    for kind in FactType:
        (FOLDER / f"{kind.value}.json").write_text(json.dumps(schema_of(kind), indent=2) + "\n", "utf-8")
    event_documents.write()


if __name__ == "__main__":
    main()
