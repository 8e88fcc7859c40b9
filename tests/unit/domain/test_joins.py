"""Manual accounts beside synchronised ones: what is suggested, what a join means, what a balance may be."""

from dataclasses import replace
from decimal import Decimal

import pytest

from shared.domain import joins, manual
from shared.domain.connection import AccountType, Connection
from shared.domain.errors import Conflict, InvalidInput
from shared.domain.ledger import MOST_OPEN_OPERATIONS
from shared.domain.manual import CHUNK, BalancePoint, ManualAccount, ManualOutcome
from shared.domain.money import HIGHEST_BALANCE, check_balance, check_currency
from shared.domain.observation import Institution
from tests.builders import NOW, account, after, connection


def kept(
    name: str = "Mon compte",
    *,
    kind: AccountType = AccountType.CHECKING,
    currency: str = "EUR",
    balance: str = "1500",
    institution_name: str | None = "Banque du Test",
    linked: str | None = None,
) -> ManualAccount:
    outcome = manual.add(
        id="manual",
        user_id="alice",
        name=name,
        kind=kind,
        currency=currency,
        balance=Decimal(balance),
        institution_name=institution_name,
        now=NOW,
    )
    assert outcome.account is not None
    return replace(outcome.account, linked_account_id=linked)


def evidence(kept: ManualAccount, *connections: Connection) -> list[tuple[str, ...]]:
    return [suggestion.evidence for suggestion in joins.suggestions([kept], connections, set()).get(kept.id, ())]


# --- suggestions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [
        ("Revolut", "Revolut", True),
        ("revolut bank", "Revolut", True),
        ("Crédit Agricole", "CREDIT AGRICOLE Île-de-France", True),
        ("La Banque Postale", "Banque Postale", True),
        ("Crédit Agricole", "Crédit Mutuel", False),
        ("Banque Horizon", "Banque du Test", False),
        ("Banque", "Banque du Test", False),
        ("", "Revolut", False),
        ("銀行", "Revolut", False),
    ],
)
def test_an_institution_is_recognised_by_its_telling_words(ours: str, theirs: str, *, same: bool) -> None:
    held = connection(account(1), institution=Institution(id="i", name=theirs))
    found = evidence(kept(institution_name=ours), held)
    assert bool(found) is same


@pytest.mark.parametrize(
    ("kind", "provider_type", "ours", "theirs", "same"),
    [
        (AccountType.CHECKING, "checking", "12.30", "12.3", True),
        (AccountType.CHECKING, "checking", "-12.30", "12.30", False),
        (AccountType.CARD, "card", "-12.30", "12.30", True),
        (AccountType.LOAN, "mortgage", "180000", "-180000", True),
        (AccountType.CHECKING, "checking", "0", "0.00", False),
        (AccountType.CHECKING, "checking", "12.30", "12.31", False),
    ],
)
def test_a_balance_is_a_sign_when_it_is_the_same_and_not_nothing(
    kind: AccountType, provider_type: str, ours: str, theirs: str, *, same: bool
) -> None:
    held = connection(account(1, provider_type=provider_type, balance=Decimal(theirs)))
    found = evidence(kept(kind=kind, balance=ours, institution_name=None), held)
    assert found == ([("same_type", "same_currency", "same_balance")] if same else [])


def test_the_likeliest_is_suggested_first_and_no_more_than_three() -> None:
    held = connection(*(account(n, balance=Decimal(n)) for n in range(1, 6)))
    found = joins.suggestions([kept(balance="4")], [held], set())["manual"]
    assert len(found) == 3
    assert found[0].account_id == held.accounts[3].id
    assert found[0].evidence == ("same_type", "same_currency", "same_institution", "same_balance")


def test_an_account_without_a_balance_or_currency_gives_no_sign_by_it() -> None:
    assert evidence(kept(institution_name=None), connection(account(1, balance=None))) == []
    assert evidence(kept(), connection(account(1, currency=None))) == []


def test_a_denied_account_stays_denied_under_a_new_id_and_through_another_connection() -> None:
    first = account(1, iban_key="iban-of-it")
    denied = manual.dismiss(kept(), first.id).account
    assert denied is not None
    assert evidence(denied, connection(first)) == []
    renamed = replace(first, id="new", former_ids=(first.id,))
    assert evidence(denied, connection(renamed)) == []
    twin = account(2, iban_key="iban-of-it", discovered_at=after(days=-1))
    assert evidence(denied, connection(first), connection(twin, powens_id=78)) == []


# --- what a join means -----------------------------------------------------------------------------------------------


def test_a_join_follows_an_account_that_turns_out_to_be_an_older_one() -> None:
    one = account(1)
    manual_account = kept(linked="what-it-was-called-then")
    held = connection(replace(one, former_ids=("what-it-was-called-then",)))
    assert joins.joined_with(manual_account, [held]) == held.accounts[0]
    assert not joins.counts(manual_account, [held])
    again = joins.join(manual_account, one.id, [manual_account], [held])
    assert again.facts == ()
    with pytest.raises(Conflict, match="another"):
        joins.join(replace(kept(), id="other"), one.id, [manual_account], [held])


def test_a_joined_account_that_is_closed_in_one_connection_counts_through_another_that_still_shows_it() -> None:
    closed, shown = account(1, iban_key="iban", closed_at=NOW), account(2, iban_key="iban")
    held = [connection(closed), connection(shown, powens_id=78)]
    joined = kept(linked=closed.id)
    assert not joins.counts(joined, held)
    with pytest.raises(Conflict, match="another"):
        joins.join(replace(kept(), id="other"), shown.id, [joined], held)


def test_an_account_without_a_currency_is_not_joined() -> None:
    held = connection(account(1, currency=None))
    with pytest.raises(Conflict) as refused:
        joins.join(kept(), held.accounts[0].id, [], [held])
    assert refused.value.code == "currencies_differ"


def test_what_a_read_changes_at_most_fits_one_transaction() -> None:
    """The connection and its markers at the institution; ends and a restoration; facts; joins; wishes."""
    connection_and_markers = 1 + len(AccountType) + 1
    operations = 2 * MOST_OPEN_OPERATIONS + 2
    facts = 2
    joined = 2 * joins.MOST_JOINED
    wishes = 3 * len(AccountType)
    assert connection_and_markers + operations + facts + joined + wishes <= 100


def test_an_account_is_joined_as_long_as_few_are_with_its_connection() -> None:
    held = connection(*(account(n) for n in range(1, joins.MOST_JOINED + 2)))
    elsewhere = connection(account(99), powens_id=78)
    others = [replace(kept(linked=a.id), id=f"other-{a.id}") for a in held.accounts[1:]]
    with pytest.raises(Conflict) as refused:
        joins.join(kept(), held.accounts[0].id, others, [held, elsewhere])
    assert refused.value.code == "too_many_joined_accounts"
    assert joins.join(kept(), elsewhere.accounts[0].id, others, [held, elsewhere]).facts != ()
    gone = replace(held, removed_at=NOW)
    assert joins.join(kept(), elsewhere.accounts[0].id, others, [gone, elsewhere]).facts != ()


def test_a_chunk_of_balances_leaves_the_account_when_it_is_full_and_none_is_lost() -> None:
    manual_account = kept(balance="0")
    gone: list[BalancePoint] = []
    for number in range(1, 3 * CHUNK):
        outcome = manual.set_balance(manual_account, Decimal(number), after(days=number))
        assert outcome.account is not None
        assert len(outcome.outgrown) in (0, CHUNK)
        manual_account = outcome.account
        gone += outcome.outgrown
    assert [point.balance for point in (*gone, *manual_account.points)] == [Decimal(n) for n in range(3 * CHUNK)]
    assert manual_account.chunks * CHUNK == len(gone)
    assert manual.set_balance(manual_account, manual_account.balance, NOW) == ManualOutcome(account=manual_account)


@pytest.mark.parametrize("kind", AccountType)
def test_every_type_holds_up_to_the_highest_balance_and_some_may_owe_as_much(kind: AccountType) -> None:
    check_balance(HIGHEST_BALANCE, kind)
    with pytest.raises(InvalidInput):
        check_balance(HIGHEST_BALANCE + Decimal("0.01"), kind)
    owes = kind in {AccountType.CHECKING, AccountType.CARD, AccountType.LOAN, AccountType.OTHER}
    if owes:
        check_balance(-HIGHEST_BALANCE, kind)
    else:
        with pytest.raises(InvalidInput):
            check_balance(Decimal("-0.01"), kind)


@pytest.mark.parametrize("kind", AccountType)
@pytest.mark.parametrize("currency", ["EUR", "USD", "CHF", "XOF", "ZWG", "XCG"])
def test_every_type_may_be_in_any_currency_of_today(kind: AccountType, currency: str) -> None:
    check_currency(currency, kind)


@pytest.mark.parametrize("currency", ["FRF", "DEM", "HRK", "BGN", "ANG", "ZWL", "XXX", "XTS", "XAU", "eur", "BTC", ""])
def test_currencies_of_the_past_metals_and_test_codes_are_none(currency: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_currency(currency, AccountType.CHECKING)
    assert (refused.value.code, refused.value.field) == ("unknown_currency", "currency")
