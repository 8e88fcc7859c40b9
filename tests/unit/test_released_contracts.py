"""What was released of the API and of the events stays: nothing is removed or narrowed, and much may come."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.domain.facts import FactType
from tests import openapi
from tests.compatibility import Direction, api_breaks, schema_breaks
from tests.postman import collection

RELEASED = Path(__file__).parents[1] / "released"
NEVER_ANSWERED = {
    f"DELETE {path} -> 422 application/json: is gone"
    for path in (
        "/v1/accounts/{account_id}",
        "/v1/accounts/{account_id}/link-suggestions/{suggested_id}",
        "/v1/wishes/{wish_id}",
    )
}
"""What the released document promised by mistake: every refusal has been a problem ever since."""
SCHEMAS = Path(__file__).parents[2] / "events" / "schemas"


def read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return document


@pytest.fixture(scope="module")
def rendered() -> dict[str, Any]:
    return openapi.rendered()


def test_the_stored_openapi_document_is_the_one_that_the_api_answers(rendered: dict[str, Any]) -> None:
    assert read(openapi.STORED) == rendered, "the API has changed; when it was meant to: make openapi"


def test_the_stored_collection_is_the_one_that_is_made_from_the_document(rendered: dict[str, Any]) -> None:
    assert read(openapi.COLLECTION) == collection(rendered), "the API has changed; when it was meant to: make openapi"


def test_clients_of_the_released_api_can_go_on(rendered: dict[str, Any]) -> None:
    assert set(api_breaks(read(RELEASED / "openapi.json"), rendered)) == NEVER_ANSWERED


@pytest.mark.parametrize("released", sorted((RELEASED / "events").glob("*.json")), ids=lambda path: path.stem)
def test_listeners_of_a_released_event_can_go_on(released: Path) -> None:
    assert schema_breaks(read(released), read(SCHEMAS / released.name), Direction.PROMISED) == []


def test_every_event_has_a_released_schema() -> None:
    # A new event joins the released ones with its first release.
    assert {path.stem for path in (RELEASED / "events").glob("*.json")} <= {kind.value for kind in FactType}
