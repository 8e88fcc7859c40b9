"""From what is known to an answer: the cases that people meet, and that nothing wrong or missing makes a false "no"."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.sentences import diagnosis_sentence
from shared.contracts.texts import locale_texts, text
from shared.domain.catalogue import Catalogue, CatalogueEntry, CatalogueSource
from shared.domain.connection import Account, AccountType, Connection, OperationKind
from shared.domain.diagnosis import (
    PEERS_FLOOR,
    Diagnosis,
    DiagnosisContext,
    can_be_given,
    diagnose,
)
from shared.domain.diagnosis_rules import DiagnosisAnswer, DiagnosisReason
from shared.domain.incidents import Incident
from shared.domain.observation import Institution, ObservedSource
from shared.domain.status import NextStep
from tests.builders import NOW, account, after, connection, operation

NEOBANK = Institution(
    id="u-neo", name="Néobanque", capabilities=frozenset({"bank", "transfer"}), products=frozenset({"bank"})
)
ENTRY = CatalogueEntry(institution=NEOBANK, sources=(CatalogueSource(name="openapi"),))
RICH = replace(
    ENTRY,
    institution=replace(
        NEOBANK, capabilities=frozenset({"bank", "bankwealth"}), products=frozenset({"bank", "wealth"})
    ),
    sources=(CatalogueSource(name="openapi"), CatalogueSource(name="directaccess")),
)
BY_OPENAPI = ObservedSource(id=81, name="openapi")
BY_WEBSITE = ObservedSource(id=82, name="directaccess")
SAVINGS = AccountType.SAVINGS


def knowing(
    entry: CatalogueEntry | None = ENTRY,
    *,
    others: tuple[AccountType, ...] = (),
    read_at: datetime = NOW,
    incidents: tuple[Incident, ...] = (),
    connections: tuple[Connection, ...] = (),
) -> DiagnosisContext:
    entries = {NEOBANK.id: entry} if entry is not None else {}
    catalogue = Catalogue(read_at=read_at, entries=entries, given_to_others={NEOBANK.id: frozenset(others)})
    return DiagnosisContext(catalogue=catalogue, incidents=incidents, connections=connections)


def held(
    *accounts: Account,
    state: str | None = None,
    sources: tuple[ObservedSource, ...] = (BY_OPENAPI,),
    institution: Institution = NEOBANK,
    next_try: datetime | None = None,
    last_success_at: datetime | None = NOW,
    active: bool = True,
) -> Connection:
    made = connection(
        account(1),
        *accounts,
        state=state,
        sources=sources,
        institution=institution,
        last_success_at=last_success_at,
        active=active,
    )
    return replace(made, next_try=next_try)


def savings(**changes: object) -> Account:
    return account(2, provider_type="livret_a", **changes)  # type: ignore[arg-type]


def said(told: Diagnosis) -> tuple[str, str, str]:
    return told.answer.value, told.reason.value, told.next_step.value


def test_a_type_that_powens_does_not_handle_is_called_so_with_every_witness_named() -> None:
    told = diagnose(held(), SAVINGS, NOW, knowing())
    assert said(told) == ("no", "type_not_supported", "add_manually")
    assert set(told.evidence) == {
        "no_such_account",
        "connection_works",
        "no_capability:bankwealth",
        "no_product:wealth",
        "only_source:openapi",
        f"fewer_other_users_than:{PEERS_FLOOR}",
    }


@pytest.mark.parametrize(
    "contradiction",
    [
        knowing(others=(SAVINGS,)),
        knowing(RICH),
        knowing(None),
        knowing(replace(ENTRY, hidden=True), read_at=after(days=-4)),
        DiagnosisContext(),
        knowing(connections=(replace(held(savings()), id="another"),)),
    ],
)
def test_whatever_speaks_against_it_keeps_a_type_from_being_called_not_supported(
    contradiction: DiagnosisContext,
) -> None:
    silent = replace(NEOBANK, capabilities=frozenset(), products=frozenset())
    for institution in (silent, RICH.institution):
        told = diagnose(held(institution=institution), SAVINGS, NOW, contradiction)
        assert told.answer is not DiagnosisAnswer.NO


@pytest.mark.parametrize(
    "mine",
    [savings(), savings(enabled=False), savings(closed_at=NOW), account(2, provider_type="unknown")],
)
def test_an_account_of_the_type_contradicts_a_catalogue_that_lacks_it(mine: Account) -> None:
    assert diagnose(held(mine), SAVINGS, NOW, knowing()).answer is not DiagnosisAnswer.NO


def test_the_bank_being_down_is_temporary_with_the_time_of_the_next_try() -> None:
    told = diagnose(held(state="websiteUnavailable", next_try=after(hours=1)), SAVINGS, NOW, knowing())
    assert said(told) == ("unknown", "temporary_problem", "wait")
    assert told.retry_at == after(hours=1)
    assert "status:bank_unavailable" in told.evidence


def test_a_next_try_that_has_passed_is_not_promised_again() -> None:
    told = diagnose(held(state="websiteUnavailable", next_try=after(hours=-1)), SAVINGS, NOW, knowing())
    assert told.retry_at is None


def test_a_first_synchronisation_that_never_ends_is_no_wait_without_end() -> None:
    never = held(last_success_at=None)
    assert said(diagnose(never, SAVINGS, after(hours=23), knowing())) == ("unknown", "temporary_problem", "wait")
    told = diagnose(never, SAVINGS, after(hours=25), knowing())
    assert said(told) == ("unknown", "unknown", "manage")
    assert told.cause == "first_synchronisation_overdue"
    assert "status:first_synchronisation_overdue" in told.evidence
    assert "has still not finished" in diagnosis_sentence(told, institution="Revolut", kind=SAVINGS, language="en")


def test_a_refresh_under_way_is_over_at_its_deadline_at_the_latest() -> None:
    refresh = operation(kind=OperationKind.REFRESH)
    told = diagnose(replace(held(), operations=(refresh,)), SAVINGS, NOW, knowing())
    assert said(told) == ("unknown", "temporary_problem", "wait")
    assert told.retry_at == refresh.deadline_at


@pytest.mark.parametrize("mine", [(), (savings(enabled=False),), (savings(),)])
def test_strong_authentication_comes_before_everything_else(mine: tuple[Account, ...]) -> None:
    told = diagnose(held(*mine, state="SCARequired"), SAVINGS, NOW, knowing())
    assert said(told) == ("unknown", "needs_user_action", "reconnect")


def test_an_unticked_account_is_hidden_by_the_user_and_counted() -> None:
    told = diagnose(held(savings(enabled=False)), SAVINGS, NOW, knowing())
    assert said(told) == ("yes", "hidden_by_user", "manage")
    assert "unticked_accounts:1" in told.evidence


def test_an_account_that_is_synchronised_is_already_added() -> None:
    assert said(diagnose(held(savings()), SAVINGS, NOW, knowing())) == ("yes", "already_added", "none")


def test_an_account_that_could_not_be_enabled_is_for_the_user() -> None:
    told = diagnose(held(savings(enabled=False, wanted=True, problem="not_applied")), SAVINGS, NOW, knowing())
    assert said(told) == ("unknown", "needs_user_action", "manage")


@pytest.mark.parametrize("mine", [savings(closed_at=NOW), savings(missing_since=NOW)])
def test_an_account_that_the_bank_no_longer_shows_is_not_shared(mine: Account) -> None:
    assert said(diagnose(held(mine), SAVINGS, NOW, knowing())) == ("unknown", "not_shared_at_bank", "manage")


def test_a_type_that_comes_through_a_source_not_added_yet_is_for_the_user_to_connect() -> None:
    told = diagnose(held(), SAVINGS, NOW, knowing(RICH))
    assert said(told) == ("unknown", "needs_user_action", "manage")
    assert "source_not_added" in told.evidence
    assert "viendrait" in diagnosis_sentence(told, institution="N", kind=SAVINGS, language="fr")
    told = diagnose(held(), SAVINGS, NOW, knowing(RICH, others=(SAVINGS,)))
    assert said(told) == ("yes", "needs_user_action", "manage")
    assert "passe par" in diagnosis_sentence(told, institution="N", kind=SAVINGS, language="fr")


def test_a_type_that_others_get_and_this_user_was_never_shown_is_not_shared_as_far_as_is_known() -> None:
    told = diagnose(held(sources=(BY_OPENAPI, BY_WEBSITE)), SAVINGS, NOW, knowing(RICH, others=(SAVINGS,)))
    assert said(told) == ("unknown", "not_shared_at_bank", "manage")


def test_a_family_that_is_handled_proves_nothing_about_a_type_of_it() -> None:
    told = diagnose(held(sources=(BY_OPENAPI, BY_WEBSITE)), SAVINGS, NOW, knowing(RICH))
    assert said(told) == ("unknown", "unknown", "manage")


def test_a_source_that_fails_speaks_for_the_types_it_alone_carries() -> None:
    broken = held(sources=(BY_OPENAPI, replace(BY_WEBSITE, state="websiteUnavailable")))
    assert diagnose(broken, SAVINGS, NOW, knowing(RICH)).reason is DiagnosisReason.TEMPORARY_PROBLEM
    assert diagnose(broken, AccountType.CARD, NOW, knowing(RICH)).reason is not DiagnosisReason.TEMPORARY_PROBLEM


def test_an_incident_of_the_institution_is_a_temporary_problem() -> None:
    incident = Incident(institution_id=NEOBANK.id, reason="bank_unavailable", since=NOW)
    told = diagnose(held(), SAVINGS, NOW, knowing(incidents=(incident,)))
    assert said(told) == ("unknown", "temporary_problem", "wait")
    assert told.cause == "bank_unavailable"
    elsewhere = replace(incident, institution_id="u-other")
    assert diagnose(held(), SAVINGS, NOW, knowing(incidents=(elsewhere,))).answer is DiagnosisAnswer.NO


def test_a_connection_that_looks_well_and_has_not_been_synchronised_for_days_is_no_witness() -> None:
    told = diagnose(held(last_success_at=after(days=-4)), SAVINGS, NOW, knowing())
    assert said(told) == ("unknown", "unknown", "manage")


def test_a_connection_that_has_stopped_is_for_the_user() -> None:
    assert said(diagnose(held(active=False), SAVINGS, NOW, knowing())) == ("unknown", "needs_user_action", "manage")


STATES = [
    "SCARequired", "webauthRequired", "additionalInformationNeeded", "decoupled", "validating", "actionNeeded",
    "passwordExpired", "wrongpass", "rateLimiting", "websiteUnavailable", "bug", "notSupported", "inventedTomorrow",
]  # fmt: skip


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("kind", AccountType)
def test_every_state_of_powens_has_an_answer_with_a_sentence_in_both_languages(state: str, kind: AccountType) -> None:
    for known in (knowing(), knowing(RICH), DiagnosisContext()):
        told = diagnose(held(state=state, next_try=after(hours=1)), kind, NOW, known)
        french = diagnosis_sentence(told, institution="Néobanque", kind=kind, language="fr")
        english = diagnosis_sentence(told, institution="Néobanque", kind=kind, language="en")
        assert french != english
        assert text(f"type.{kind}", "fr") in french
        assert text(f"type.{kind}", "en") in english
        for sentence in (french, english):
            assert "Néobanque" in sentence
            assert "{" not in sentence
            assert "  " not in sentence


def test_a_sentence_says_when_it_is_tried_again_or_that_nobody_knows_when() -> None:
    down = held(state="websiteUnavailable", next_try=datetime.fromisoformat("2026-08-01T07:05:00+00:00"))
    told = diagnose(down, SAVINGS, NOW, knowing())
    assert "le 1er août à 09:05" in diagnosis_sentence(told, institution="N", kind=SAVINGS, language="fr")
    assert "1 August at 09:05" in diagnosis_sentence(told, institution="N", kind=SAVINGS, language="en")
    told = replace(told, retry_at=None)
    assert "24 heures" in diagnosis_sentence(told, institution="", kind=SAVINGS, language="fr")
    assert "24 hours" in diagnosis_sentence(told, institution="", kind=SAVINGS, language="en")


def test_every_sentence_is_of_a_reason_and_every_reason_has_one() -> None:
    start = "diagnosis.of_type."
    sentences = [key.removeprefix(start) for key in locale_texts("fr") if key.startswith(start)]
    assert {key.partition(".")[0] for key in sentences} == set(DiagnosisReason)


# --- nothing wrong or missing makes a false "no" ---

words = st.frozensets(st.sampled_from(["bank", "bankwealth", "wealth", "transfer", "garbage"]))
sources = st.lists(
    st.builds(
        CatalogueSource,
        name=st.sampled_from(["openapi", "directaccess", "fallback", "novel"]),
        disabled=st.booleans(),
        account_types=st.frozensets(st.sampled_from(["checking", "livret_a", "loan", "novel"])),
    ),
    max_size=3,
)
entries = st.builds(
    lambda capabilities, products, given, hidden: CatalogueEntry(
        institution=replace(NEOBANK, capabilities=capabilities, products=products),
        sources=tuple(given),
        hidden=hidden,
    ),
    words,
    words,
    sources,
    st.booleans(),
)


@given(entry=st.none() | entries, kind=st.sampled_from(AccountType), age=st.integers(0, 10), read=words)
def test_no_catalogue_makes_a_type_unsupported_that_somebody_gets(
    entry: CatalogueEntry | None, kind: AccountType, age: int, read: frozenset[str]
) -> None:
    known = knowing(entry, others=(kind,), read_at=NOW - timedelta(days=age))
    mine = held(institution=replace(NEOBANK, capabilities=read, products=read))
    assert diagnose(mine, kind, NOW, known).answer is not DiagnosisAnswer.NO
    if entry is not None:
        answer, _ = can_be_given(entry, kind, current=age < 3, given_to_others=frozenset({kind}))
        assert answer is not DiagnosisAnswer.NO


@given(entry=st.none() | entries, kind=st.sampled_from(AccountType), age=st.integers(0, 10), read=words)
def test_a_no_always_names_two_statements_that_deny_the_type_and_none_that_allows_it(
    entry: CatalogueEntry | None, kind: AccountType, age: int, read: frozenset[str]
) -> None:
    known = knowing(entry, read_at=NOW - timedelta(days=age))
    told = diagnose(held(institution=replace(NEOBANK, capabilities=read, products=read)), kind, NOW, known)
    if told.answer is DiagnosisAnswer.NO:
        denying = [e for e in told.evidence if e.startswith(("no_capability:", "no_product:", "only_source:"))]
        allowing = [e for e in told.evidence if e.startswith(("capability:", "product:", "source_lists_it:"))]
        assert len(denying) >= 2
        assert allowing == []
        assert "connection_works" in told.evidence


def test_what_can_be_expected_of_an_institution_is_graded() -> None:
    def told(entry: CatalogueEntry, kind: AccountType, *others: AccountType) -> DiagnosisAnswer:
        return can_be_given(entry, kind, current=True, given_to_others=frozenset(others))[0]

    assert told(ENTRY, AccountType.CHECKING) is DiagnosisAnswer.YES
    assert told(ENTRY, SAVINGS) is DiagnosisAnswer.NO
    assert told(RICH, SAVINGS) is DiagnosisAnswer.UNKNOWN
    assert told(RICH, SAVINGS, SAVINGS) is DiagnosisAnswer.YES
    closed = replace(RICH, institution=replace(RICH.institution, restricted=True))
    assert told(closed, SAVINGS, SAVINGS) is DiagnosisAnswer.UNKNOWN
    silent = CatalogueEntry(institution=replace(NEOBANK, capabilities=frozenset(), products=frozenset()))
    answer, evidence = can_be_given(silent, SAVINGS, current=False, given_to_others=frozenset())
    assert (answer, evidence) == (DiagnosisAnswer.UNKNOWN, ("catalogue_silent", "catalogue_stale"))


def test_a_next_step_of_the_diagnosis_is_one_that_the_page_knows() -> None:
    assert {step.value for step in NextStep} == {"manage", "reconnect", "wait", "add_manually", "none"}
