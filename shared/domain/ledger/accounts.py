"""One account as a read changes it: what Powens says of it, and two that turn out to be one."""

from dataclasses import replace

from shared.domain.connection import Account
from shared.domain.observation import ObservedAccount


def described(account: Account, seen: ObservedAccount, failing: bool) -> Account:
    """What Powens says of an account, without its selection. A field that Powens leaves out keeps its last value.

    So does the balance of an account that is not ticked, or that fails: the last good one, whose age is shown.
    """
    kept = seen.balance is None and (seen.disabled or failing)
    return replace(
        account,
        name=seen.name or account.name,
        provider_type=seen.provider_type,
        currency=seen.currency or account.currency,
        balance=account.balance if kept else seen.balance,
        iban_key=seen.iban_key or account.iban_key,
        iban_last4=seen.iban_last4 or account.iban_last4,
        number_key=seen.number_key or account.number_key,
        source_id=seen.source_id if seen.source_id is not None else account.source_id,
        error=seen.error,
        last_success_at=(seen.last_update or account.last_success_at)
        if seen.error is None
        else account.last_success_at,
    )


def data(account: Account) -> tuple[object, ...]:
    return (
        account.balance,
        account.currency,
        account.provider_type,
        account.iban_last4,
        account.error,
        account.last_success_at,
        account.unreadable,
    )


def merge(older: Account, newer: Account) -> Account:
    """The older account, under the Powens id of the newer: with its id, its history, and the newest choice of both."""
    # A wish that could not be carried out was given up: what is left of it is nobody's choice.
    given_up = older.problem is not None and older.wanted == older.enabled
    chosen_later = newer.chosen_at is not None and (older.chosen_at is None or older.chosen_at < newer.chosen_at)
    chosen_later = older.choice is None and (chosen_later or given_up)
    return replace(
        older,
        powens_id=newer.powens_id,
        custom_name=newer.custom_name or older.custom_name,
        balance=older.balance if newer.balance is None else newer.balance,
        last_success_at=newer.last_success_at or older.last_success_at,
        wanted=newer.wanted if chosen_later else older.wanted,
        chosen_at=newer.chosen_at if chosen_later else older.chosen_at,
        former_ids=(*older.former_ids, *newer.former_ids, newer.id),
        missing_since=newer.missing_since,
        closed_at=newer.closed_at,
        problem=None,
    )
