"""What the client makes of the answers of Powens, at the edges that its documentation leaves open."""

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.adapters.powens.answers import account_from, connection_from
from shared.adapters.powens.values import Malformed
from shared.domain.errors import PowensUnavailable
from shared.domain.observation import Institution, ObservedAccount, ObservedConnection, ObservedSource
from tests.ibans import iban
from tests.worlds.powens.wire import (
    API,
    NOW,
    Answer,
    account_json,
    accounts_json,
    connection_json,
    observed_account,
    observed_connection,
    parsed,
    powens,
)

IBAN = iban(112)
UUID = "338178e6-3d01-564f-9a7b-52ca442459bf"


def test_the_documented_examples_are_read_whole() -> None:
    scene = powens(Answer(body=connection_json()), Answer(body=accounts_json(account_json())))
    assert scene.user.read_connection(77) == ObservedConnection(
        powens_id=77,
        institution=Institution(
            id=UUID,
            name="Connecteur de test",
            logo_url=f"{API}/logos/{UUID}-thumbnail@2x.png",
            color="#0044aa",
            capabilities=frozenset({"bank", "bankwealth"}),
        ),
        state=None,
        active=True,
        created=datetime(2026, 3, 1, 9, 23, 2, tzinfo=UTC),
        last_update=datetime(2026, 3, 5, 9, 40, 58, tzinfo=UTC),
        next_try=datetime(2026, 3, 6, 7, 12, tzinfo=UTC),
        sources=(ObservedSource(id=81, name="openapi"),),
        accounts=(
            ObservedAccount(
                powens_id=912,
                name="Compte courant",
                provider_type="checking",
                currency="EUR",
                balance=Decimal("1523.07"),
                disabled=False,
                deleted=False,
                iban_key=f"key({IBAN})",
                iban_last4=IBAN[-4:],
                number_key="key(3002900000)",
                source_id=81,
                error=None,
                last_update=datetime(2026, 3, 5, 9, 40, 55, tzinfo=UTC),
            ),
        ),
        read_started_at=NOW,
    )


def test_a_discovered_account_is_read_with_the_little_that_it_has() -> None:
    discovered = {"id": 913, "disabled": "2026-03-01 10:23:20", "type": "livret_a", "unknown_field": {"x": 1}}
    assert account_from(discovered, str) == ObservedAccount(
        powens_id=913, name="", provider_type="livret_a", disabled=True
    )


def test_a_connection_is_read_with_the_little_that_it_has() -> None:
    bare = {"id": 77, "connector_uuid": UUID}
    assert connection_from(bare, (), read_started_at=NOW, logos=f"{API}/logos") == ObservedConnection(
        powens_id=77,
        institution=Institution(id=UUID, name="", logo_url=f"{API}/logos/{UUID}-thumbnail@2x.png"),
        state=None,
        read_started_at=NOW,
    )


def test_a_connection_without_any_uuid_has_the_number_of_its_connector() -> None:
    institution = observed_connection(connector_uuid=None, connector={"id": 40, "name": "Banque"}).institution
    assert institution == Institution(id="40", name="Banque")


def test_an_old_answer_has_its_state_in_error() -> None:
    old = connection_json(error="wrongpass")
    del old["state"]
    assert connection_from(old, (), read_started_at=NOW, logos="").state == "wrongpass"


def test_a_source_has_its_name_in_either_place_and_fails_by_itself() -> None:
    sources = [
        {"id": 81, "name": "openapi", "state": "SCARequired", "access_expire": "2026-08-01 12:00:00"},
        {"id": 82, "source": {"name": "directaccess", "priority": 1}, "disabled": "2026-03-01 10:00:00"},
    ]
    assert observed_connection(sources=sources).sources == (
        ObservedSource(
            id=81, name="openapi", state="SCARequired", access_expires_at=datetime(2026, 8, 1, 10, tzinfo=UTC)
        ),
        ObservedSource(id=82, name="directaccess", disabled=True),
    )


@pytest.mark.parametrize("sources", [None, []])
def test_sources_may_be_absent(sources: object) -> None:
    assert observed_connection(sources=sources).sources == ()


@pytest.mark.parametrize(("active", "read"), [(True, True), (False, False), (0, False), (1, True), (None, True)])
def test_a_connection_is_active_unless_powens_says_otherwise(active: object, read: bool) -> None:
    assert observed_connection(active=active).active is read


ZEROS = ["0000-00-00 00:00:00", "0000-00-00", "2026-00-10 00:00:00", "2026-03-00 00:00:00"]
NO_DATES = [*ZEROS, "", " ", "yesterday", 5, {}, [], "0001-01-01 00:00:00", "9999-12-31 23:59:59", "\ud83d"]


@pytest.mark.parametrize(
    ("field", "values", "read"),
    [
        ("name", [5, {}, [], True], "COMPTE COURANT"),
        ("type", [5, [], {}, {"name": None}, "", "Livret « A »"], "unknown"),
        ("currency", [5, [], "", "€", {"id": 5}], None),
        ("balance", ["12.30", "1 234,56", "", True, [], {}], None),
        ("deleted", [*ZEROS, "", "0", "null", "false", {}, [], 5, "\ud83d"], False),
        ("last_update", [*NO_DATES, True, 0], None),
        ("iban", [5, {}, []], None),
        ("number", [5, {}, []], None),
        ("id_source", [0, -1, "x", 1.5, {}, True], None),
        ("error", [{}, [], "", 0], None),
    ],
)
def test_a_field_that_cannot_be_read_costs_itself_and_is_reported(
    field: str, values: list[object], read: object
) -> None:
    usual = asdict(observed_account())
    names = {"type": "provider_type", "iban": "iban_key", "number": "number_key", "id_source": "source_id"}
    for value in values:
        scene = powens(Answer(body=connection_json()), Answer(body=accounts_json(account_json(**{field: value}))))
        [seen] = scene.user.read_connection(77).accounts
        lost = {"iban_last4": None, "number_last4": "0000"} if field == "iban" else {}
        assert asdict(seen) == usual | {names.get(field, field): read} | lost, value
        assert scene.unreadable == [f"account.{field}"], value


@pytest.mark.parametrize("value", [None, False, True, 0, 1, "2026-03-01 10:23:20", "2026-03-01"])
def test_a_selection_is_a_date_a_flag_or_null(value: object) -> None:
    read = observed_account(disabled=value)
    assert (read.disabled, read.unreadable) == (bool(value), False)


@pytest.mark.parametrize("value", [*NO_DATES, 2, -1, 0.5, "maybe", "null", {"at": "2026-03-01"}], ids=repr)
def test_an_account_whose_selection_cannot_be_read_says_so(value: object) -> None:
    read = observed_account(disabled=value)
    assert (read.disabled, read.unreadable) == (True, True)


def test_an_account_that_is_clearly_deleted_is_so_whatever_its_selection_looks_like() -> None:
    read = observed_account(disabled={}, deleted="2026-03-01 10:23:20")
    assert (read.deleted, read.unreadable) == (True, False)


def test_an_account_that_does_not_say_whether_it_is_disabled_is_not_taken_for_an_enabled_one() -> None:
    silent = account_json()
    del silent["disabled"]
    scene = powens(Answer(body=connection_json()), Answer(body=accounts_json(silent)))
    [read] = scene.user.read_connection(77).accounts
    assert (read.disabled, read.unreadable) == (True, True)
    assert scene.unreadable == ["account.disabled"]


@pytest.mark.parametrize(("ahead", "known"), [(0, True), (9, True), (11, False), (60 * 24 * 365 * 5, False)])
def test_what_happened_later_than_the_read_that_shows_it_is_unknown(ahead: int, known: bool) -> None:
    at = NOW + timedelta(minutes=ahead)
    shown = at.astimezone(ZoneInfo("Europe/Paris")).strftime("%Y-%m-%d %H:%M:%S")
    scene = powens(
        Answer(body=connection_json(last_update=shown, next_try=shown)),
        Answer(body=accounts_json(account_json(last_update=shown))),
    )
    seen = scene.user.read_connection(77)
    assert (seen.last_update, seen.accounts[0].last_update) == ((at, at) if known else (None, None))
    assert seen.next_try == at
    assert scene.unreadable == ([] if known else ["account.last_update", "connection.last_update"])


def test_a_byte_that_is_no_character_costs_no_more_than_its_text() -> None:
    body = json.dumps(accounts_json(account_json(name="Livret"))).encode().replace(b"Livret", b"Livret \xe9t\xe9")
    scene = powens(Answer(body=connection_json()), Answer(body=body))
    assert scene.user.read_connection(77).accounts[0].name == "Livret \ufffdt\ufffd"


@pytest.mark.parametrize("accounts", [{}, {"accounts": None}, {"accounts": {}}])
def test_a_list_of_another_shape_is_no_empty_list(accounts: object) -> None:
    scene = powens(Answer(body=connection_json()), Answer(body=accounts))
    with pytest.raises(PowensUnavailable):
        scene.user.read_connection(77)


@pytest.mark.parametrize("powens_id", [None, 0, -1, True, "x", 9.5, {}, 2**63])
def test_a_connection_without_an_id_is_no_answer(powens_id: object) -> None:
    with pytest.raises(Malformed):
        observed_connection(id=powens_id)


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("active", "yes", ["connection.active"]),
        ("active", {}, ["connection.active"]),
        ("created", "x", ["connection.created"]),
        ("next_try", "0000-00-00 00:00:00", ["connection.next_try"]),
        ("state", {}, ["connection.state"]),
        ("connector", "Banque", ["connection.connector"]),
        ("connector", {"uuid": "../../etc"}, ["connector.uuid"]),
        ("connector", {"uuid": UUID, "capabilities": "bank", "name": 5}, ["connector.name", "connector.capabilities"]),
        ("sources", {}, ["connection.sources"]),
        ("sources", ["openapi", {"name": "openapi"}], ["source.id", "source.id"]),
    ],
)
def test_a_field_of_a_connection_that_cannot_be_read_costs_itself(field: str, value: object, told: list[str]) -> None:
    unreadable: list[str] = []
    item = parsed(connection_json(**{field: value}))
    read = connection_from(item, (), read_started_at=NOW, logos=f"{API}/logos", on_unreadable=unreadable.append)
    nothing = observed_connection(**{field: None})
    beside = replace(read, institution=nothing.institution, sources=nothing.sources)
    assert beside == nothing
    assert read.institution.id == UUID
    assert unreadable == told


def test_a_source_that_cannot_be_read_takes_no_other_with_it() -> None:
    assert [
        source.id for source in observed_connection(sources=[7, {"id": 81, "source": "openapi"}, None]).sources
    ] == [81]


@pytest.mark.parametrize("connector", [None, "x", {}])
def test_a_connection_of_a_bank_that_nobody_names_is_at_a_bank_of_its_own(connector: object) -> None:
    nameless = observed_connection(connector=connector, connector_uuid=[], id_connector="x").institution
    assert nameless == Institution(id="connection-77", name="")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
OTHER = account_json(id=5)


@settings(deadline=None)  # the machine may be busy
@given(st.sampled_from(sorted(account_json())), JSON)
def test_no_value_of_an_account_costs_more_than_the_account(field: str, value: object) -> None:
    for read_all in (False, True):
        connections: object = {"connections": [connection_json()]} if read_all else connection_json()
        listed = accounts_json(account_json(**{field: value}), OTHER, total=None)
        user = powens(Answer(body=connections), Answer(body=listed)).user
        try:
            [seen] = user.read_all() if read_all else [user.read_connection(77)]
        except PowensUnavailable as error:
            assert "another connection" in str(error)  # noqa: PT017 - of what it may raise, only this
            assert field == "id_connection"
            continue
        assert observed_account(**OTHER) in seen.accounts or field == "id"
        expected = 1 if field != "id_connection" or value != 77 else 2
        assert len(seen.accounts) + seen.unidentified >= expected


@settings(deadline=None)  # the machine may be busy
@given(st.sampled_from(sorted(connection_json())), JSON)
def test_no_value_of_a_connection_costs_another_connection(field: str, value: object) -> None:
    listed = {"connections": [connection_json(**{field: value}), connection_json(id=78)], "total": None}
    seen = {each.powens_id: each for each in powens(Answer(body=listed), Answer(body=accounts_json())).user.read_all()}
    assert seen[78] == observed_connection(id=78)
    assert 77 in seen or field == "id"
