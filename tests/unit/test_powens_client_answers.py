"""What the client makes of the answers of Powens, at the edges that its documentation leaves open."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.adapters.powens_answers import (
    LONGEST_TEXT,
    JsonObject,
    Malformed,
    account_from,
    as_object,
    connection_from,
    parse_json,
)
from shared.domain.errors import PowensUnavailable
from shared.domain.observation import Institution, ObservedAccount, ObservedConnection, ObservedSource
from tests.powens_wire import API, NOW, Answer, account_json, accounts_json, connection_json, powens

UUID = "338178e6-3d01-564f-9a7b-52ca442459bf"


def over_the_wire(item: object) -> JsonObject:
    return as_object(parse_json(json.dumps(item).encode()), "item")


def account(**changes: object) -> ObservedAccount:
    return account_from(over_the_wire(account_json(**changes)), lambda text: f"key({text})")


def connection(**changes: object) -> ObservedConnection:
    item = over_the_wire(connection_json(**changes))
    return connection_from(item, (), read_started_at=NOW, logos=f"{API}/logos")


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
                iban_key="key(FR7612345000010000000000112)",
                iban_last4="0112",
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
    institution = connection(connector_uuid=None, connector={"id": 40, "name": "Banque"}).institution
    assert institution == Institution(id="40", name="Banque")


@pytest.mark.parametrize("kind", ["checking", {"id": 2, "name": "checking", "display_name": "Compte courant"}])
def test_a_type_is_a_word_or_an_object(kind: object) -> None:
    assert account(type=kind).provider_type == "checking"


@pytest.mark.parametrize("kind", [None, {}, {"name": None}, "", "Livret « A »", "x" * 41])
def test_a_type_that_is_no_word_is_unknown(kind: object) -> None:
    assert account(type=kind).provider_type == "unknown"


@pytest.mark.parametrize(
    ("currency", "code"),
    [
        ({"id": "EUR", "precision": 2}, "EUR"),
        ("GBP", "GBP"),
        ("usd", "USD"),
        (None, None),
        ({"id": None}, None),
        ("€", None),
        ("", None),
    ],
)
def test_a_currency_is_an_object_or_a_code_or_nothing(currency: object, code: str | None) -> None:
    assert account(currency=currency).currency == code


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-05 10:40:58", datetime(2026, 3, 5, 9, 40, 58, tzinfo=UTC)),
        ("2026-07-05 10:40:58", datetime(2026, 7, 5, 8, 40, 58, tzinfo=UTC)),
        ("2026-03-05T10:40:58+05:00", datetime(2026, 3, 5, 5, 40, 58, tzinfo=UTC)),
        ("2026-03-05T10:40:58.123456Z", datetime(2026, 3, 5, 10, 40, 58, 123456, tzinfo=UTC)),
        # Skipped by the clock change of March, and doubled by the one of October.
        ("2026-03-29 02:30:00", datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
        ("2026-10-25 02:30:00", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        (None, None),
    ],
)
def test_a_date_is_paris_wall_time_unless_it_has_an_offset(text: str | None, moment: datetime | None) -> None:
    assert account(last_update=text).last_update == moment


@settings(deadline=None)  # the machine may be busy
@given(st.datetimes(min_value=datetime(1980, 1, 1), max_value=datetime(2099, 1, 1)))  # noqa: DTZ001 - wall times
def test_a_wall_time_is_never_more_than_a_change_of_clocks_away_from_paris(wall: datetime) -> None:
    read = account(last_update=wall.isoformat(" ")).last_update
    assert read is not None
    assert abs(read.astimezone(ZoneInfo("Europe/Paris")).replace(tzinfo=None) - wall) <= timedelta(hours=1)


@pytest.mark.parametrize(
    ("field", "value", "set_"),
    [
        ("disabled", None, False),
        ("disabled", "2026-03-01 10:23:20", True),
        ("disabled", True, True),
        ("disabled", False, False),
        ("deleted", None, False),
        ("deleted", "2026-03-01 10:23:20", True),
    ],
)
def test_disabled_and_deleted_are_set_by_a_date(field: str, value: object, set_: bool) -> None:
    assert getattr(account(**{field: value}), field) is set_


def test_disabled_and_deleted_stay_different() -> None:
    gone = account(disabled=None, deleted="2026-03-01 10:23:20")
    assert (gone.disabled, gone.deleted) == (False, True)


@pytest.mark.parametrize("number", ["0.1", "1523.07", "-12.30", "0", "1E+3", "123456789012345678.12"])
def test_an_amount_is_exact(number: str) -> None:
    item = parse_json(b'{"id": 1, "disabled": null, "balance": ' + number.encode() + b"}")
    assert isinstance(item, dict)
    assert account_from(item, str).balance == Decimal(number)


@pytest.mark.parametrize("number", ["1E+400", "1E-400", "1" * 39, "0." + "1" * 39])
def test_an_amount_that_no_account_has_is_no_answer(number: str) -> None:
    item = parse_json(b'{"id": 1, "disabled": null, "balance": ' + number.encode() + b"}")
    assert isinstance(item, dict)
    with pytest.raises(Malformed):
        account_from(item, str)


@pytest.mark.parametrize(
    ("iban", "key"),
    [
        ("FR76 1234 5000 0100 0000 0000 112", "key(FR7612345000010000000000112)"),
        ("fr7612345000010000000000112", "key(FR7612345000010000000000112)"),
        (None, None),
        ("", None),
        ("N/A", None),
        ("FR76************112", None),
    ],
)
def test_one_iban_has_one_key_and_a_placeholder_has_none(iban: str | None, key: str | None) -> None:
    read = account(iban=iban)
    assert read.iban_key == key
    assert read.iban_last4 == ("0112" if key else None)


@pytest.mark.parametrize(("number", "key"), [("300 29 00", "key(3002900)"), (" ", None), ("", None), (None, None)])
def test_one_number_has_one_key(number: str | None, key: str | None) -> None:
    assert account(number=number).number_key == key


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("  Compte\n\tcourant\x00 ", "Compte courant"),
        ("Livret\u202eA", "Livret A"),
        ("x" * 500, "x" * LONGEST_TEXT),
        ("\ud800", "COMPTE COURANT"),
        (None, "COMPTE COURANT"),
        ("Épargne €", "Épargne €"),
    ],
)
def test_a_name_is_short_and_printable(name: str | None, shown: str) -> None:
    assert account(name=name).name == shown


@settings(deadline=None)  # the machine may be busy
@given(st.text())
def test_any_name_can_be_stored_and_shown_on_one_line(name: str) -> None:
    read = account(name=name, original_name=None).name
    assert len(read) <= LONGEST_TEXT
    assert read.isprintable()
    assert read == read.strip()
    read.encode()


@pytest.mark.parametrize(
    ("error", "word"), [(None, None), ("actionNeeded", "actionNeeded"), ("Votre mot de passe…", "unknown")]
)
def test_only_the_word_of_an_error_is_kept(error: str | None, word: str | None) -> None:
    assert account(error=error).error == word
    assert connection(state=error).state == word


def test_an_old_answer_has_its_state_in_error() -> None:
    old = connection_json(error="wrongpass")
    del old["state"]
    assert connection_from(old, (), read_started_at=NOW, logos="").state == "wrongpass"


def test_a_source_has_its_name_in_either_place_and_fails_by_itself() -> None:
    sources = [
        {"id": 81, "name": "openapi", "state": "SCARequired", "access_expire": "2026-08-01 12:00:00"},
        {"id": 82, "source": {"name": "directaccess", "priority": 1}, "disabled": "2026-03-01 10:00:00"},
    ]
    assert connection(sources=sources).sources == (
        ObservedSource(
            id=81, name="openapi", state="SCARequired", access_expires_at=datetime(2026, 8, 1, 10, tzinfo=UTC)
        ),
        ObservedSource(id=82, name="directaccess", disabled=True),
    )


@pytest.mark.parametrize("sources", [None, []])
def test_sources_may_be_absent(sources: object) -> None:
    assert connection(sources=sources).sources == ()


@pytest.mark.parametrize(
    ("color", "shown"), [("#FFAA00", "#ffaa00"), ("fa0", "#fa0"), ("red", None), ("javascript:x", None), (None, None)]
)
def test_a_color_is_hexadecimal_or_nothing(color: str | None, shown: str | None) -> None:
    assert connection(connector={"uuid": UUID, "color": color}).institution.color == shown


@pytest.mark.parametrize(("active", "read"), [(True, True), (False, False), (0, False), (1, True), (None, True)])
def test_a_connection_is_active_unless_powens_says_otherwise(active: object, read: bool) -> None:
    assert connection(active=active).active is read


@pytest.mark.parametrize(
    "changes",
    [
        {"id": None},
        {"id": 0},
        {"id": -1},
        {"id": True},
        {"id": "912"},
        {"id": 9.5},
        {"id_source": 0},
        {"name": 5},
        {"type": 5},
        {"type": []},
        {"currency": 5},
        {"balance": "12.30"},
        {"balance": True},
        {"balance": []},
        {"disabled": ""},
        {"disabled": 5},
        {"deleted": {}},
        {"last_update": "yesterday"},
        {"last_update": 5},
        {"last_update": "0001-01-01 00:00:00"},
        {"iban": 5},
        {"number": 5},
        {"error": 5},
    ],
)
def test_an_account_that_cannot_be_read_makes_the_whole_answer_unusable(changes: dict[str, object]) -> None:
    scene = powens(Answer(body=connection_json()), Answer(body=accounts_json(account_json(), account_json(**changes))))
    with pytest.raises(PowensUnavailable):
        scene.user.read_connection(77)


def test_an_account_that_does_not_say_whether_it_is_disabled_is_not_taken_for_an_enabled_one() -> None:
    silent = account_json()
    del silent["disabled"]
    scene = powens(Answer(body=connection_json()), Answer(body=accounts_json(silent)))
    with pytest.raises(PowensUnavailable, match="disabled"):
        scene.user.read_connection(77)


@pytest.mark.parametrize("accounts", [{}, {"accounts": None}, {"accounts": {}}, {"accounts": ["text"]}])
def test_a_list_of_another_shape_is_no_empty_list(accounts: object) -> None:
    scene = powens(Answer(body=connection_json()), Answer(body=accounts))
    with pytest.raises(PowensUnavailable):
        scene.user.read_connection(77)


@pytest.mark.parametrize(
    "changes",
    [
        {"id": None},
        {"state": 5},
        {"active": "yes"},
        {"created": "x"},
        {"sources": {}},
        {"sources": ["openapi"]},
        {"sources": [{"name": "openapi"}]},
        {"sources": [{"id": 81, "source": "openapi"}]},
        {"connector": "Banque"},
        {"connector": {"uuid": "../../etc"}},
        {"connector": {"uuid": 5}},
        {"connector": {"uuid": UUID, "capabilities": "bank"}},
        {"connector": None, "connector_uuid": None, "id_connector": None},
    ],
)
def test_a_connection_that_cannot_be_read_is_no_answer(changes: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        connection(**changes)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(deadline=None)  # the machine may be busy
@given(st.sampled_from(sorted(account_json())), JSON)
def test_no_value_of_an_account_surprises_the_reading(field: str, value: object) -> None:
    with suppress(Malformed):
        account(**{field: value})


@settings(deadline=None)  # the machine may be busy
@given(st.sampled_from(sorted(connection_json())), JSON)
def test_no_value_of_a_connection_surprises_the_reading(field: str, value: object) -> None:
    with suppress(Malformed):
        connection(**{field: value})
