"""Names as people, banks and attackers write them."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.names import LONGEST_NAME_BYTES, clean_name, shortened

FAMILY = "👨\u200d👩\u200d👧"
SCOTLAND = "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"


@pytest.mark.parametrize(
    "name",
    [
        f"{FAMILY} Famille",
        "Compte 🇫🇷 joint",
        f"{SCOTLAND} Trust",
        "❤\ufe0f Épargne",
        "👍🏽 Projet",
        "חשבון עו״ש",
        "می\u200cخواهم",
        "क्\u200dष खाता",
        "e\u0301pargne",
        "Caisse d’Épargne",
        "貯蓄",
        "ⵜⴰⵡⵍⴰ",
        "A",
        "€",
    ],
)
def test_a_name_is_kept_as_it_is_written(name: str) -> None:
    assert clean_name(name) == name


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("  Compte\n\tcourant\x00 ", "Compte courant"),
        ("Compte\u00a0courant\u2028joint", "Compte courant joint"),
        ("\u202egnihtyreve", "gnihtyreve"),
        ("Livret\u202eA", "Livret A"),
        ("Compte (\u2066EUR\u2069)", "Compte (EUR)"),
        ("a\u200eb\u200f\u061c", "ab"),
        ("Épar\u00adgne\u200b", "Épargne"),
        ("a\ud83d", "a"),
        ("\u200dA \u200cB", "A B"),
        ("Livret\U000e0041\U000e0042", "Livret"),
        ("\u0301\ufe0fLivret", "Livret"),
    ],
)
def test_what_nobody_sees_is_left_out(written: str, shown: str) -> None:
    assert clean_name(written) == shown


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "\u00a0", "\x07", "\u200b\u200b", "\u2060", "\ufeff", "\u00ad", "\u180e"),
        *("\u200d", "\u200c\u200d", "\ufe0f", "\u0301", "\u202e\u202c", "\U000e0041"),
        *("\u3164\u3164", "\u2800", "\u115f\u1160", "\ud83d", "\ue000"),
    ],
    ids=ascii,
)
def test_a_text_without_a_visible_sign_is_no_name(text: str) -> None:
    assert clean_name(text) == ""


@pytest.mark.parametrize("name", ["x" * 500, "é" * 300, "🙂" * 200, FAMILY * 40, "🇫🇷" * 60, SCOTLAND * 20, "👍🏽" * 50])
@pytest.mark.parametrize("most", [200, 199, 198, 197, 40])
def test_a_long_name_is_cut_between_two_signs(name: str, most: int) -> None:
    sign = next(s for s in (FAMILY, "🇫🇷", SCOTLAND, "👍🏽", name[0]) if name.startswith(s))
    cut = shortened(name, most)
    assert cut == sign * (most // len(sign.encode()))
    assert most - len(cut.encode()) < len(sign.encode())


@pytest.mark.parametrize("sign", ["e\u0301", "각", "क्ष", "❤\ufe0f"])
def test_marks_stay_with_their_letter(sign: str) -> None:
    assert shortened(sign * 100, 100) == sign * (100 // len(sign.encode()))


def test_one_sign_with_marks_without_end_still_has_a_name() -> None:
    cut = shortened("e" + "\u0301" * 400)
    assert cut.startswith("e\u0301")
    assert len(cut.encode()) <= LONGEST_NAME_BYTES


@settings(deadline=None)  # the machine may be busy
@given(st.text(st.characters(exclude_categories=[])))
def test_any_text_becomes_one_line_that_can_be_written_and_cleaning_again_changes_nothing(text: str) -> None:
    name = shortened(clean_name(text))
    assert len(name.encode()) <= LONGEST_NAME_BYTES
    assert name == clean_name(name)
    assert not any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} or c in "\u202d\u202e\u2066" for c in name)
