"""The published events: schemas, examples and contract say the same, in both directions."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.contracts.events import EventDetail, detail_of
from shared.domain.connection import AccountType
from shared.domain.facts import AccountChange, Cause, Change, Fact, FactType
from tests.builders import NOW
from tests.integration.event_schemas import FOLDER, check, schema_of

EXAMPLES = Path(__file__).parents[2] / "events" / "examples"
KINDS = pytest.mark.parametrize("kind", FactType, ids=lambda kind: kind.value)


def example(kind: FactType) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((EXAMPLES / f"{kind.value}.json").read_text("utf-8"))
    return loaded


@KINDS
def test_a_stored_schema_is_what_the_contract_makes(kind: FactType) -> None:
    stored = json.loads((FOLDER / f"{kind.value}.json").read_text("utf-8"))
    assert stored == schema_of(kind), "write them anew: python -m tests.integration.event_schemas"
    jsonschema.Draft202012Validator.check_schema(stored)


def test_there_is_one_schema_and_one_example_for_each_detail_type() -> None:
    names = sorted(f"{kind.value}.json" for kind in FactType)
    assert sorted(path.name for path in FOLDER.iterdir()) == names
    assert sorted(path.name for path in EXAMPLES.iterdir()) == names


@KINDS
def test_the_guide_for_listeners_names_every_detail_type(kind: FactType) -> None:
    assert f"| `{kind.value}` |" in (FOLDER.parents[1] / "docs" / "events.md").read_text("utf-8")


@KINDS
def test_an_example_is_a_whole_event_that_fits_schema_and_contract(kind: FactType) -> None:
    event = example(kind)
    assert (event["source"], event["detail-type"]) == ("synced-accounts", kind.value)
    check(kind.value, event["detail"])
    detail = EventDetail.model_validate_json(json.dumps(event["detail"]))
    assert json.loads(detail.as_json()) == event["detail"]


lines = st.builds(
    AccountChange,
    account_id=st.uuids().map(str),
    change=st.sampled_from(Change),
    enabled=st.booleans(),
    type=st.sampled_from(AccountType),
    currency=st.none() | st.sampled_from(["EUR", "USD", "BTC"]),
)


@st.composite
def facts(draw: st.DrawFn) -> Fact:
    kind = draw(st.sampled_from(FactType))
    changes: list[AccountChange] = []
    if kind in (FactType.ACCOUNTS_UPDATED, FactType.CONNECTION_REMOVED):
        changes = draw(st.lists(lines, min_size=1, max_size=4))
    manual_account = kind is FactType.ACCOUNTS_UPDATED and draw(st.booleans())
    if manual_account:
        changes = changes[:1]
    if kind is FactType.CONNECTION_REMOVED or (manual_account and draw(st.booleans())):
        changes = [AccountChange(**{**_members(line), "change": Change.REMOVED}) for line in changes]
    wish = kind is FactType.ACCOUNT_NOW_AVAILABLE
    return Fact(
        type=kind,
        user_id=draw(st.sampled_from(["alice", "bob"])),
        connection_id=None if wish or manual_account or kind is FactType.USER_ERASED else "connection",
        revision=draw(st.integers(0, 10**6)),
        cause=draw(st.sampled_from(Cause)),
        accounts=tuple(changes),
        status="ok" if kind in (FactType.CONNECTION_UPDATED, FactType.OPERATION_ENDED) else None,
        operation_id="operation" if kind is FactType.OPERATION_ENDED else None,
        wish_id="wish" if wish else None,
        institution_id="institution" if wish else None,
        account_type=draw(st.sampled_from(AccountType)) if wish else None,
    )


def _members(line: AccountChange) -> dict[str, Any]:
    return {name: getattr(line, name) for name in AccountChange.__slots__}


@given(fact=facts())
def test_whatever_the_ledger_can_say_fits_the_schema_and_reads_back(fact: Fact) -> None:
    detail = detail_of(fact, event_id="01KJYZ4A8Q0000000000000002", occurred_at=NOW, correlation_id="c")
    published = json.loads(detail.as_json())
    check(fact.type.value, published)
    assert EventDetail.model_validate(published) == detail


def test_a_manual_account_is_alone_in_its_events() -> None:
    line = {"account_id": "a", "change": "removed", "enabled": False, "type": "savings", "currency": "EUR"}
    data = {"user_id": "alice", "revision": 2, "accounts": [line]}
    detail = example(FactType.ACCOUNTS_UPDATED)["detail"] | {"data": data}
    check("AccountsUpdated", detail)
    with pytest.raises(jsonschema.ValidationError):
        check("AccountsUpdated", detail | {"data": data | {"accounts": [line, line]}})


@settings(suppress_health_check=[HealthCheck.filter_too_much])
@given(data=st.data(), kind=st.sampled_from(FactType))
def test_an_event_without_one_of_its_members_or_with_one_too_many_fits_no_more(
    data: st.DataObject, kind: FactType
) -> None:
    detail = example(kind)["detail"]
    part = data.draw(st.sampled_from(["metadata", "data"]))
    if data.draw(st.booleans()):
        # Without its connection the example's event, of several accounts, is none of a manual account either.
        detail[part].pop(data.draw(st.sampled_from(sorted(detail[part]))))
    else:
        detail[part]["iban"] = "FR76"
        with pytest.raises(ValueError, match="iban"):
            EventDetail.model_validate(detail)
    with pytest.raises(jsonschema.ValidationError):
        check(kind.value, detail)
