"""Any JSON in any field of an otherwise valid answer costs that field, or at most its own account or connection."""

from collections.abc import Mapping
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shared.domain.catalogue import CatalogueEntry
from shared.domain.observation import ObservedAccount, ObservedConnection
from tests.worlds.powens.wire import Answer, account_json, accounts_json, connection_json, powens

ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["0000-00-00 00:00:00", "2031-01-01 10:00:00", "\ud83d", "\u202e", "1 234,56", "null", 10**400]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
ACCOUNT_FIELDS = sorted(account_json())
CONNECTION_FIELDS = sorted(connection_json())
CONNECTOR: dict[str, object] = {
    "id": 40,
    "uuid": "338178e6-3d01-564f-9a7b-52ca442459bf",
    "name": "Connecteur de test",
    "hidden": None,
    "restricted": False,
    "color": "191c1f",
    "capabilities": ["bank"],
    "products": ["bank"],
    "countries": [{"id": "FR", "name": "France"}],
    "sources": [{"id": 1, "name": "openapi", "disabled": None, "account_types": []}],
}
OTHERS = {"77", "78", "912", "913", "914"}
"""Ids that are somebody else's, which is not odd but wrong."""
FIXED = settings(max_examples=100, deadline=None, derandomize=True)


def bank(number: int) -> dict[str, object]:
    return connection_json(id=number)


def held(number: int, connection: int) -> dict[str, object]:
    return account_json(id=number, id_connection=connection, number=f"30029004{number}")


def read(connections: list[object], accounts: list[object]) -> tuple[ObservedConnection, ...]:
    return powens(Answer(body={"connections": connections}), Answer(body=accounts_json(*accounts))).user.read_all()


def by_id(connection: ObservedConnection) -> Mapping[int, ObservedAccount]:
    return {account.powens_id: account for account in connection.accounts}


USUAL = {seen.powens_id: seen for seen in read([bank(77), bank(78)], [held(912, 77), held(913, 77), held(914, 78)])}


@FIXED
@given(field=st.sampled_from(ACCOUNT_FIELDS), value=ANY_JSON, missing=st.booleans())
def test_whatever_one_field_of_an_account_holds_no_other_account_is_read_otherwise(
    field: str, value: object, missing: bool
) -> None:
    assume(str(value) not in OTHERS)
    odd = held(912, 77) | {field: value}
    if missing:
        del odd[field]
    seen = {
        connection.powens_id: connection
        for connection in read([bank(77), bank(78)], [odd, held(913, 77), held(914, 78)])
    }
    assert set(seen) == {77, 78}
    for connection_id, account_id in ((77, 913), (78, 914)):
        assert by_id(seen[connection_id])[account_id] == by_id(USUAL[connection_id])[account_id]
    known = {account for connection in seen.values() for account in by_id(connection)}
    # An account that cannot be identified, or placed, is not taken for one that has gone.
    assert 912 in known or any(c.unidentified for c in seen.values()) or field in ("id", "id_connection")


@FIXED
@given(field=st.sampled_from([name for name in ACCOUNT_FIELDS if name not in ("id", "id_connection")]), value=ANY_JSON)
def test_an_odd_field_changes_nothing_else_of_its_account(field: str, value: object) -> None:
    [seen] = read([bank(77)], [held(912, 77) | {field: value}])
    [account] = seen.accounts
    usual = by_id(USUAL[77])[912]
    of_field: dict[str, set[str]] = {
        "name": {"name"},
        "type": {"provider_type"},
        "disabled": {"disabled", "unreadable"},
        "iban": {"iban_key", "iban_last4", "number_key", "number_last4"},
        "number": {"number_key"},
        "id_source": {"source_id"},
        "original_name": set(),
    }
    allowed = of_field.get(field, {field})
    changed = {name for name in ObservedAccount.__slots__ if getattr(account, name) != getattr(usual, name)}
    assert changed <= allowed


@FIXED
@given(field=st.sampled_from(CONNECTION_FIELDS), value=ANY_JSON)
def test_whatever_one_field_of_a_connection_holds_the_other_connection_is_read_as_ever(
    field: str, value: object
) -> None:
    assume(str(value) not in OTHERS)
    seen = read([bank(77) | {field: value}, bank(78)], [held(912, 77), held(914, 78)])
    [other] = [connection for connection in seen if connection.powens_id == 78][:1]
    assert by_id(other)[914] == by_id(USUAL[78])[914]
    if field != "id":
        [spoilt] = [connection for connection in seen if connection.powens_id == 77]
        assert by_id(spoilt)[912] == by_id(USUAL[77])[912]
        assert spoilt.institution.id


@FIXED
@given(value=ANY_JSON, place=st.sampled_from(["connections", "accounts"]))
def test_a_member_of_a_list_that_is_no_object_is_skipped_or_counted(value: object, place: str) -> None:
    if isinstance(value, dict):
        value = [value]
    connections: list[object] = [bank(77)]
    accounts: list[object] = [held(912, 77)]
    (connections if place == "connections" else accounts).append(value)
    [seen] = read(connections, accounts)
    assert by_id(seen)[912] == by_id(USUAL[77])[912]


def catalogue(*connectors: object) -> Mapping[str, CatalogueEntry]:
    entries, _ = powens(Answer(body={"connectors": list(connectors)})).client.institutions()
    return {entry.institution.id: entry for entry in entries}


@FIXED
@given(field=st.sampled_from(sorted(CONNECTOR)), value=ANY_JSON)
def test_whatever_one_field_of_a_connector_holds_the_other_connectors_are_read_as_ever(
    field: str, value: object
) -> None:
    other: dict[str, Any] = CONNECTOR | {
        "id": 41,
        "uuid": "338178e6-3d01-564f-9a7b-000000000041",
        "name": "Autre banque",
    }
    usual = catalogue(other)
    assert catalogue(CONNECTOR | {field: value}, other).items() >= usual.items()
