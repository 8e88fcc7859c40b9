"""The texts of the API and those of the page: one format, nothing missing in either language."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BREAKS = re.compile("« | [:;?!»]")

type Entry = str | dict[str, str]


class Locales:
    """Both languages of one folder of texts."""

    def __init__(self, folder: str) -> None:
        self.french: dict[str, Entry] = json.loads((ROOT / folder / "fr.json").read_text("utf-8"))
        self.english: dict[str, Entry] = json.loads((ROOT / folder / "en.json").read_text("utf-8"))


@pytest.fixture(params=["shared/contracts/locales", "web/locales"])
def locales(request: pytest.FixtureRequest) -> Locales:
    return Locales(request.param)


def forms(entry: Entry) -> list[str]:
    return list(entry.values()) if isinstance(entry, dict) else [entry]


def placeholders(entry: Entry) -> set[str]:
    return {name for form in forms(entry) for name in re.findall(r"\{(\w+)\}", form)}


def entries(locales: Locales) -> Iterator[tuple[str, Entry]]:
    yield from locales.french.items()
    yield from locales.english.items()


def test_both_languages_have_the_same_keys_in_the_same_order(locales: Locales) -> None:
    assert list(locales.french) == list(locales.english)


def test_both_languages_have_plurals_of_the_same_texts(locales: Locales) -> None:
    for key, french in locales.french.items():
        assert isinstance(french, dict) == isinstance(locales.english[key], dict), key


def test_translations_fill_in_the_same_values(locales: Locales) -> None:
    for key, french in locales.french.items():
        assert placeholders(french) - {"count"} == placeholders(locales.english[key]) - {"count"}, key


def test_no_text_is_empty_and_plurals_have_both_forms(locales: Locales) -> None:
    for key, entry in entries(locales):
        assert all(form.strip() for form in forms(entry)), key
        assert isinstance(entry, str) or list(entry) == ["one", "other"], key


def test_a_brace_is_always_of_a_value_to_fill_in(locales: Locales) -> None:
    for key, entry in entries(locales):
        for form in forms(entry):
            assert not re.search(r"[{}]", re.sub(r"\{\w+\}", "", form)), key


def test_apostrophes_are_those_of_print(locales: Locales) -> None:
    assert [form for _, entry in entries(locales) for form in forms(entry) if "'" in form] == []


def test_no_sign_of_a_french_text_can_begin_a_line(locales: Locales) -> None:
    assert [form for entry in locales.french.values() for form in forms(entry) if BREAKS.search(form)] == []
