"""What identifies an account, however it is written, and what only looks like it."""

import pytest

from shared.domain.identifiers import identifying_number, last_signs, misshapen_iban, valid_iban
from tests.ibans import iban

IBAN = iban(112)


def grouped(separator: str) -> str:
    return separator.join(IBAN[at : at + 4] for at in range(0, len(IBAN), 4))


@pytest.mark.parametrize(
    "written",
    [
        IBAN,
        IBAN.lower(),
        f"  {IBAN}\n",
        *(
            grouped(separator)
            for separator in (" ", "-", ".", "\u00a0", "\u202f", "\u2011", "\u2013", "/", "_", "\u200b")
        ),
        f"IBAN {grouped(' ')}",
        f"IBAN: {IBAN}",
        f"iban:{IBAN.lower()}",
        f"IBAN n° {IBAN}",
        "".join(chr(ord(sign) + 0xFEE0) for sign in IBAN),
    ],
    ids=ascii,
)
def test_one_iban_in_all_its_writings_is_one(written: str) -> None:
    assert valid_iban(written) == IBAN


@pytest.mark.parametrize(
    "published",
    ["GB82WEST12345698765432", "DE89370400440532013000", "NO9386011117947", "MT84MALT011000012345MTLCAST001S"],
)
def test_ibans_of_other_countries_are_read(published: str) -> None:
    assert valid_iban(published) == published
    assert valid_iban(f"IBAN {published}") == published


@pytest.mark.parametrize(
    "text",
    [
        "",
        "N/A",
        IBAN[:-1],
        IBAN + "0",
        IBAN[:-1] + "1",
        f"FR{(int(IBAN[2:4]) + 1):02d}{IBAN[4:]}",
        f"{IBAN[:8]}XXXXXXXXXXXXXXX{IBAN[-4:]}",
        f"{IBAN[:8]} **** **** {IBAN[-4:]}",
        "FR" + "0" * 25,
        # Right check digits: F, R, D and E count as 15, 27, 13 and 14.
        f"FR{98 - 152700 % 97:02d}{'0' * 23}",
        f"DE{98 - 131400 % 97:02d}{'0' * 18}",
        "QQ",
        "\ud83d",
    ],
    ids=ascii,
)
def test_what_has_wrong_check_digits_a_wrong_length_or_a_mask_is_no_iban(text: str) -> None:
    assert valid_iban(text) is None


@pytest.mark.parametrize("text", ["300 290 012", "300-290-012", "300.290.012", "300\u00a0290\u202f012", " 300290012 "])
def test_formatting_makes_no_other_number(text: str) -> None:
    assert identifying_number(text) == "300290012"


def test_case_makes_no_other_number_and_zeros_in_front_do() -> None:
    assert identifying_number("ab-12 cd") == identifying_number("AB12CD") == "AB12CD"
    assert identifying_number("00300290012") != identifying_number("300290012")


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "-", "N/A", "null", "none", "None", "unknown", "inconnu", "Non communiqué", "?"),
        *("0", "7", "42", "123", "0000", "0000000000", "9999", "99999999", "0000012000", "000-000-001"),
        *("1234567890", "0123456789", "12345678", "12345678901", "9876543210", "1234 5678"),
        *(
            "XXXX1234",
            "xxxx1234",
            "4970XXXXXXXX1234",
            "x1234",
            "X X X X 1234",
            "****1234",
            "••••1234",
            "#1234",
            "…1234",
        ),
        *("1234XXXX", "12**34", "\ud83d"),
    ],
    ids=ascii,
)
def test_a_masked_number_a_filler_and_a_placeholder_identify_nothing(text: str) -> None:
    assert identifying_number(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "FR7612345000010000000000001",
        "FR76-1234-5000-0100-0000-0000-001",
        "IBAN: fr76 1234 5000 0100 0000 0000 001",
    ],
)
def test_an_iban_with_wrong_check_digits_may_still_be_a_number_of_its_bank(text: str) -> None:
    assert valid_iban(text) is None
    assert misshapen_iban(text) == "FR7612345000010000000000001"


@pytest.mark.parametrize(
    "text",
    ["FR7600000000000000000000000", "FR76", "XX", "", "N/A", "FR76XXXXXXXXXXXXXXXXXXX1234", "FR7611111111111111"],
)
def test_a_filler_where_an_iban_belongs_is_nothing(text: str) -> None:
    assert misshapen_iban(text) is None


@pytest.mark.parametrize(
    ("text", "ending"),
    [
        ("3002 9000 1207", "1207"),
        ("XXXX-XXXX-XXXX-4417", "4417"),
        ("ab12", "AB12"),
        ("N/A", None),
        ("compte", None),
        ("000000", None),
        ("127", None),
        ("", None),
    ],
)
def test_people_are_shown_the_last_four_signs_of_a_number_also_of_a_masked_one(text: str, ending: str | None) -> None:
    assert last_signs(text) == ending
