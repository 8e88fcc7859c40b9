"""Institutions are found by how people type them: without accents, by initials, with a slip of the finger."""

import pytest

from shared.application.institutions import SearchIndex, folded
from shared.domain.catalogue import CatalogueEntry
from shared.domain.observation import Institution

NAMES = (
    "BNP Paribas", "Crédit Agricole", "Crédit Agricole Île-de-France", "Crédit Mutuel", "Société Générale", "Revolut",
    "Banque Horizon", "La Banque Postale", "Boursorama", "Caisse d'Épargne", "Crédit Lyonnais (LCL)", "Nef & Rive",
    "Pôle Œuvre", "CIC", "ING", "Épargne Salariale Union",
)  # fmt: skip
INDEX = SearchIndex(CatalogueEntry(institution=Institution(id=str(n), name=name)) for n, name in enumerate(NAMES))


def found(text: str, *, most: int = 20) -> list[str]:
    return [entry.institution.name for entry in INDEX.search(text, most=most)]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("bnp", "BNP Paribas"),
        ("BNP PARIBAS", "BNP Paribas"),
        ("ca", "Crédit Agricole"),
        ("sg", "Société Générale"),
        ("credit agricole", "Crédit Agricole"),
        ("agricole", "Crédit Agricole"),
        ("ile de france", "Crédit Agricole Île-de-France"),
        ("lcl", "Crédit Lyonnais (LCL)"),
        ("revolt", "Revolut"),
        ("rveolut", "Revolut"),
        ("boursoramma", "Boursorama"),
        ("banque horison", "Banque Horizon"),
        ("societe generalle", "Société Générale"),
        ("caisse epargne", "Caisse d'Épargne"),
        ("lbp", "La Banque Postale"),
        ("oeuvre", "Pôle Œuvre"),
        ("cic", "CIC"),
        ("esu", "Épargne Salariale Union"),
    ],
)
def test_the_institution_that_is_meant_comes_first(text: str, first: str) -> None:
    assert found(text)[0] == first


@pytest.mark.parametrize("text", ["zzzz", "!?", "\U0001f600", "x"])
def test_what_is_no_name_finds_nothing(text: str) -> None:
    assert found(text) == []


def test_without_a_text_all_come_in_the_order_of_the_alphabet_accents_aside() -> None:
    assert found("", most=100) == sorted(NAMES, key=folded)
    assert found("  ", most=3) == sorted(NAMES, key=folded)[:3]


def test_no_more_come_than_are_asked_for() -> None:
    assert found("cr", most=2) == ["Crédit Mutuel", "Crédit Agricole"]
