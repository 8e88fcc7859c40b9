"""What one value of Powens' answers says, at the edges that its documentation leaves open."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.adapters.powens.answers import account_from
from shared.adapters.powens.values import as_object, parse_json
from shared.domain.names import LONGEST_NAME_BYTES, clean_name
from tests.ibans import iban
from tests.worlds.powens.wire import observed_account, observed_connection

IBAN = iban(112)


@pytest.mark.parametrize("kind", ["checking", {"id": 2, "name": "checking", "display_name": "Compte courant"}])
def test_a_type_is_a_word_or_an_object(kind: object) -> None:
    assert observed_account(type=kind).provider_type == "checking"


@pytest.mark.parametrize("kind", [None, {}, {"name": None}, "", "Livret « A »", "x" * 41])
def test_a_type_that_is_no_word_is_unknown(kind: object) -> None:
    assert observed_account(type=kind).provider_type == "unknown"


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
    assert observed_account(currency=currency).currency == code


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
    assert observed_account(last_update=text).last_update == moment


@settings(deadline=None)  # the machine may be busy
@given(st.datetimes(min_value=datetime(1980, 1, 1), max_value=datetime(2099, 1, 1)))  # noqa: DTZ001 - wall times
def test_a_wall_time_is_never_more_than_a_change_of_clocks_away_from_paris(wall: datetime) -> None:
    read = observed_account(last_update=wall.isoformat(" ")).last_update
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
    assert getattr(observed_account(**{field: value}), field) is set_


def test_disabled_and_deleted_stay_different() -> None:
    gone = observed_account(disabled=None, deleted="2026-03-01 10:23:20")
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
def test_an_amount_that_no_account_has_is_none_and_reported(wire: str) -> None:
    item = as_object(parse_json(b'{"id": 1, "disabled": null, "balance": ' + wire.encode() + b"}"), "item")
    told: list[str] = []
    assert account_from(item, str, on_unreadable=told.append).balance is None
    assert told == ["account.balance"]


@pytest.mark.parametrize("written", [IBAN, IBAN.lower(), f"IBAN: {IBAN[:4]} {IBAN[4:12]}-{IBAN[12:]}"])
def test_one_iban_has_one_key(written: str) -> None:
    read = observed_account(iban=written)
    assert (read.iban_key, read.iban_last4) == (f"key({IBAN})", IBAN[-4:])


@pytest.mark.parametrize("text", [None, "", "N/A", f"{IBAN[:4]}************{IBAN[-4:]}", f"{IBAN[:-1]}9", 5, ["x"]])
def test_what_is_no_iban_is_neither_a_key_nor_shown(text: object) -> None:
    read = observed_account(iban=text)
    assert (read.iban_key, read.iban_last4) == (None, None)


@pytest.mark.parametrize(
    ("number", "key"),
    [("300 29 00", "key(3002900)"), ("300-2900", "key(3002900)"), (" ", None), ("4970XXXXXXXX1234", None), (5, None)],
)
def test_one_number_has_one_key_and_a_filler_none(number: object, key: str | None) -> None:
    assert observed_account(number=number).number_key == key


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
    assert observed_account(name=name).name == shown


@settings(deadline=None)  # the machine may be busy
@given(st.text(st.characters(exclude_categories=[])))
def test_any_name_can_be_stored_and_shown_on_one_line(name: str) -> None:
    read = observed_account(name=name, original_name=None).name
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
    assert observed_account(error=error).error == word
    assert observed_connection(state=error).state == word


@pytest.mark.parametrize(
    ("color", "shown"), [("#FFAA00", "#ffaa00"), ("fa0", "#fa0"), ("red", None), ("javascript:x", None), (None, None)]
)
def test_a_color_is_hexadecimal_or_nothing(color: str | None, shown: str | None) -> None:
    assert observed_connection(connector={"uuid": "338178e6", "color": color}).institution.color == shown
