"""One account as a read changes it: how Powens describes it, and two accounts that are the same one."""

from dataclasses import replace

from shared.domain.connection import Account, Connection
from shared.domain.observation import ObservedAccount


def described(account: Account, observed: ObservedAccount, failing: bool) -> Account:
    """The account with what Powens says about it, its selection aside.

    A field that Powens leaves out keeps its value.

    A disabled or failing account keeps its last good balance too, whose age is shown, as long as somebody wants it.
    """
    kept = observed.balance is None and (observed.disabled or failing)
    newest = observed.last_update if observed.error is None else None
    return replace(
        account,
        name=observed.name or account.name,
        provider_type=observed.provider_type,
        currency=observed.currency or account.currency,
        balance=account.balance if kept else observed.balance,
        iban_key=observed.iban_key or account.iban_key,
        iban_last4=observed.iban_last4 or account.iban_last4,
        number_key=observed.number_key or account.number_key,
        number_last4=observed.number_last4 or account.number_last4,
        source_id=observed.source_id if observed.source_id is not None else account.source_id,
        error=observed.error,
        last_success_at=newest or account.last_success_at,
    )


def without_what_nobody_wants(connection: Connection) -> Connection:
    """Without the balances of accounts that are not ticked, nor about to be: consent is for those that are."""
    return replace(connection, accounts=tuple(map(_minimal, connection.accounts)))


def _minimal(account: Account) -> Account:
    return account if account.enabled or account.wanted else replace(account, balance=None)


def same_data(account: Account, other: Account) -> bool:
    """Whether two states of an account are equal in what a synchronisation brings."""
    if not account.enabled:
        # That a balance is dropped, or is there again as somebody wants it, is no news of the bank's.
        account, other = replace(account, balance=None), replace(other, balance=None)
    return _data(account) == _data(other)


def _data(account: Account) -> tuple[object, ...]:
    return (
        account.balance,
        account.currency,
        account.provider_type,
        account.iban_last4,
        account.error,
        account.last_success_at,
        account.unreadable,
    )


def merged_account(older: Account, newer: Account) -> Account:
    """The older account under the newer one's Powens id: with its own id and history, and the newest choice of both."""
    # A choice that could not be carried out was given up: `wanted` is nobody's choice then.
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
        unseen_since=newer.unseen_since,
        closed_at=newer.closed_at,
        problem=None,
    )
