"""What a refusal says: every part of the request that is at fault, and why."""

import pytest

from shared.domain.connection import AccountType, connection_id
from tests.integration.world import World

PATH = f"/v1/connections/{connection_id(77)}"


@pytest.mark.parametrize(
    ("method", "path", "body", "query", "errors"),
    [
        (
            "POST",
            "/v1/accounts",
            {"name": "x" * 300, "type": "gold", "currency": "euro", "balance": 1, "colour": "red"},
            "",
            [
                ("name", "too_long", "This value is too long: 200 at most."),
                ("type", "not_allowed", "This value is none of those allowed: " + ", ".join(AccountType) + "."),
                ("currency", "wrong_format", "This value does not have the expected form."),
                ("balance", "wrong_type", "This value is of the wrong type."),
                ("colour", "unknown_field", "There is no such field here."),
            ],
        ),
        (
            "POST",
            "/v1/webview-sessions",
            {"flow": "pay"},
            "",
            [
                ("flow", "not_allowed", "This value is none of those allowed: connect, manage, reconnect."),
                ("return_to", "required", "This field is required."),
            ],
        ),
        (
            "PATCH",
            "/v1/accounts/x",
            {"enabled": True, "name": "x"},
            "",
            [(None, "exactly_one", "Give exactly one of these fields: enabled, name, balance.")],
        ),
        ("PATCH", "/v1/accounts/x", {"name": "\u200b"}, "", [("name", "invalid", "This value is not valid.")]),
        (
            "POST",
            "/v1/wishes",
            {"institution_id": ""},
            "",
            [
                ("institution_id", "too_short", "This value is too short."),
                ("type", "required", "This field is required."),
            ],
        ),
        (
            "PUT",
            f"{PATH}/selection",
            {"enabled_account_ids": [1, "x", None]},
            "dry_run=maybe",
            [
                ("dry_run", "wrong_type", "This value is of the wrong type."),
                ("enabled_account_ids.0", "wrong_type", "This value is of the wrong type."),
                ("enabled_account_ids.2", "wrong_type", "This value is of the wrong type."),
            ],
        ),
        (
            "PUT",
            f"{PATH}/selection",
            {"enabled_account_ids": []},
            "dryRun=true&dry_run=true&dry_run=true",
            [
                ("dryRun", "unknown_parameter", "There is no such parameter here."),
                ("dry_run", "repeated_parameter", "This parameter can be given only once."),
            ],
        ),
        (
            "POST",
            "/v1/accounts",
            {"name": "x", "type": "checking", "currency": "XXY", "balance": "1"},
            "",
            [("currency", "unknown_currency", "This currency does not exist.")],
        ),
    ],
)
def test_a_refusal_names_every_part_at_fault_and_says_why(
    world: World, method: str, path: str, body: object, query: str, errors: list[tuple[str | None, str, str]]
) -> None:
    reply = world.api(method, path, body, query=query, accept_language="en")
    assert reply.status == 422
    assert [(error.get("field"), error["code"], error["message"]) for error in reply.json["errors"]] == errors
    assert reply.json.get("field") == errors[0][0]


def test_a_refusal_stays_short_however_much_is_wrong(world: World) -> None:
    reply = world.api("PUT", f"{PATH}/selection", {"enabled_account_ids": [1] * 900, "x" * 9000: 1})
    assert len(reply.json["errors"]) == 20
    invented = world.api("DELETE", PATH, {"confirm": "x", "x" * 9000: 1})
    assert [error["field"] for error in invented.json["errors"]] == ["x" * 100]
