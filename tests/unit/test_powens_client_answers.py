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
from shared.adapters.powens.values import JsonObject, Malformed, as_object, parse_json
from shared.domain.errors import PowensUnavailable
from shared.domain.names import LONGEST_NAME_BYTES, clean_name
from shared.domain.observation import Institution, ObservedAccount, ObservedConnection, ObservedSource
from tests.ibans import iban
from tests.powens_wire import API, NOW, Answer, account_json, accounts_json, connection_json, powens

IBAN = iban(112)
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


@pytest.mark.parametrize(
    "wire",
    [
        *("1E+400", "1E-400", "1" * 39, "0." + "1" * 39, "1" * 5000, "1E999999999999999999999", "NaN", "-Infinity"),
        *('"1 234,56"', '"1523.07"', "true", "[]", "{}", '""'),
    ],
)
def test_an_amount_that_no_account_has_is_none_and_told_of(wire: str) -> None:
    item = as_object(parse_json(b'{"id": 1, "disabled": null, "balance": ' + wire.encode() + b"}"), "item")
    told: list[str] = []
    assert account_from(item, str, on_unreadable=told.append).balance is None
    assert told == ["account.balance"]


@pytest.mark.parametrize("written", [IBAN, IBAN.lower(), f"IBAN: {IBAN[:4]} {IBAN[4:12]}-{IBAN[12:]}"])
def test_one_iban_has_one_key(written: str) -> None:
    read = account(iban=written)
    assert (read.iban_key, read.iban_last4) == (f"key({IBAN})", IBAN[-4:])


@pytest.mark.parametrize("text", [None, "", "N/A", f"{IBAN[:4]}************{IBAN[-4:]}", f"{IBAN[:-1]}9", 5, ["x"]])
def test_what_is_no_iban_is_neither_a_key_nor_shown(text: object) -> None:
    read = account(iban=text)
    assert (read.iban_key, read.iban_last4) == (None, None)


@pytest.mark.parametrize(
    ("number", "key"),
    [("300 29 00", "key(3002900)"), ("300-2900", "key(3002900)"), (" ", None), ("4970XXXXXXXX1234", None), (5, None)],
)
def test_one_number_has_one_key_and_a_filler_none(number: object, key: str | None) -> None:
    assert account(number=number).number_key == key


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("  Compte\n\tcourant\x00 ", "Compte courant"),
        ("Livret\u202eA", "Livret A"),
        ("x" * 500, "x" * LONGEST_NAME_BYTES),
        ("🙂" * 200, "🙂" * (LONGEST_NAME_BYTES // 4)),
        ("👨\u200d👩\u200d👧 Famille", "👨\u200d👩\u200d👧 Famille"),
        ("\ud800", "COMPTE COURANT"),
        ("\u200b\u2060", "COMPTE COURANT"),
        (None, "COMPTE COURANT"),
        (5, "COMPTE COURANT"),
        (["Compte"], "COMPTE COURANT"),
        ("Épargne €", "Épargne €"),
    ],
)
def test_a_name_is_short_and_visible(name: object, shown: str) -> None:
    assert account(name=name).name == shown


@settings(deadline=None)  # the machine may be busy
@given(st.text(st.characters(exclude_categories=[])))
def test_any_name_can_be_stored_and_shown_on_one_line(name: str) -> None:
    read = account(name=name, original_name=None).name
    assert len(read.encode()) <= LONGEST_NAME_BYTES
    assert read == clean_name(read)


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (None, None),
        ("actionNeeded", "actionNeeded"),
        ("Votre mot de passe…", "unknown"),
        ({"code": "wrongpass"}, "unknown"),
        (5, "unknown"),
        ({}, None),
        ([], None),
        *((nothing, None) for nothing in ("", "  ", "null", "None", "0", 0, False)),
    ],
)
def test_only_the_word_of_an_error_is_kept_and_nothing_is_none(error: object, word: str | None) -> None:
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
def test_a_field_that_cannot_be_read_costs_itself_and_is_told_of(
    field: str, values: list[object], read: object
) -> None:
    usual = asdict(account())
    names = {"type": "provider_type", "iban": "iban_key", "number": "number_key", "id_source": "source_id"}
    for value in values:
        scene = powens(Answer(body=connection_json()), Answer(body=accounts_json(account_json(**{field: value}))))
        [seen] = scene.user.read_connection(77).accounts
        lost = {"iban_last4": None} if field == "iban" else {}
        assert asdict(seen) == usual | {names.get(field, field): read} | lost, value
        assert scene.unreadable == [f"account.{field}"], value


@pytest.mark.parametrize("value", [None, False, True, 0, 1, "2026-03-01 10:23:20", "2026-03-01"])
def test_a_selection_is_a_date_a_flag_or_null(value: object) -> None:
    read = account(disabled=value)
    assert (read.disabled, read.unreadable) == (bool(value), False)


@pytest.mark.parametrize("value", [*NO_DATES, 2, -1, 0.5, "maybe", "null", {"at": "2026-03-01"}], ids=repr)
def test_an_account_whose_selection_cannot_be_read_says_so(value: object) -> None:
    read = account(disabled=value)
    assert (read.disabled, read.unreadable) == (True, True)


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
        connection(id=powens_id)


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
    item = over_the_wire(connection_json(**{field: value}))
    read = connection_from(item, (), read_started_at=NOW, logos=f"{API}/logos", on_unreadable=unreadable.append)
    nothing = connection(**{field: None})
    beside = replace(read, institution=nothing.institution, sources=nothing.sources)
    assert beside == nothing
    assert read.institution.id == UUID
    assert unreadable == told


def test_a_source_that_cannot_be_read_takes_no_other_with_it() -> None:
    assert [source.id for source in connection(sources=[7, {"id": 81, "source": "openapi"}, None]).sources] == [81]


@pytest.mark.parametrize("connector", [None, "x", {}])
def test_a_connection_of_a_bank_that_nobody_names_is_at_a_bank_of_its_own(connector: object) -> None:
    nameless = connection(connector=connector, connector_uuid=[], id_connector="x").institution
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
        assert account(**OTHER) in seen.accounts or field == "id"
        expected = 1 if field != "id_connection" or value != 77 else 2
        assert len(seen.accounts) + seen.unidentified >= expected


@settings(deadline=None)  # the machine may be busy
@given(st.sampled_from(sorted(connection_json())), JSON)
def test_no_value_of_a_connection_costs_another_connection(field: str, value: object) -> None:
    listed = {"connections": [connection_json(**{field: value}), connection_json(id=78)], "total": None}
    seen = {each.powens_id: each for each in powens(Answer(body=listed), Answer(body=accounts_json())).user.read_all()}
    assert seen[78] == connection(id=78)
    assert 77 in seen or field == "id"
