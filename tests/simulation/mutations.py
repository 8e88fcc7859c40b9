"""Deliberate faults in the product: each is a mistake that somebody could make, and the simulation must notice it."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from unittest import mock

from botocore.exceptions import BotoCoreError, ClientError

from functions.powens_webhook import app as powens_webhook
from shared.adapters import outbox
from shared.adapters.dynamodb import connections as dynamodb_connections
from shared.adapters.dynamodb import documents
from shared.adapters.dynamodb.table import Table, Write
from shared.adapters.dynamodb.webview import DynamoDBWebviewSessions
from shared.adapters.powens import answers, lists
from shared.adapters.powens.user import PowensUser
from shared.application import live, webview
from shared.application.access import Access
from shared.application.changes import Changes
from shared.application.live import Live
from shared.contracts.events import SOURCE
from shared.domain import copies, expectation, ledger, matching
from shared.domain.errors import AppError, PowensForbidden
from shared.domain.ledger import outcome, reconciler
from shared.domain.ledger.moves import Moves
from shared.domain.ledger.transition import Transition
from shared.entrypoints.observability import logger


@dataclass(frozen=True)
class Mutation:
    """`seeds`: how many of the seeds from 0 it took to be caught when it was written. `apply` patches the product."""

    name: str
    seeds: int
    apply: Callable[[], contextlib.AbstractContextManager[object]]


MUTATIONS: list[Mutation] = []


def mutation(seeds: int) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Register a function that returns the patch to apply; its name says what is wrong."""

    def register(make: Callable[[], Any]) -> Callable[[], Any]:
        MUTATIONS.append(Mutation(make.__name__, seeds, make))
        return make

    return register


def _method(owner: Any, name: str, changed: Callable[..., Any]) -> Any:
    """Replace a method by one that gets the real one first."""
    real = getattr(owner, name)
    return mock.patch.object(owner, name, lambda *args, **named: changed(real, *args, **named))


def _transaction(changed: Callable[[list[Write]], list[Write]]) -> Any:
    """Change what a transaction writes."""
    return _method(Table, "transact", lambda real, self, writes, **named: real(self, changed(list(writes)), **named))


def _puts(write: Write, sort: str) -> bool:
    """Whether it writes an item whose sort key begins so."""
    return write.kind == "Put" and str(write.content["sk"]).startswith(sort)


@mutation(11)
def a_connection_is_written_over_whatever_somebody_else_wrote() -> Any:
    def unconditional(real: Any, before: Any, after: Any) -> Any:
        write = real(before, after)
        return replace(write, condition="", values={name: v for name, v in write.values.items() if name != "seen"})

    return _method(dynamodb_connections, "put_connection", unconditional)


@mutation(3)
def a_webhook_is_accepted_before_it_is_queued() -> Any:
    def queue(real: Any, *args: Any) -> None:
        with contextlib.suppress(ClientError, BotoCoreError):
            real(*args)

    return _method(powens_webhook, "_queue", queue)


@mutation(10)
def an_operation_is_recorded_without_its_command() -> Any:
    return _transaction(lambda writes: [write for write in writes if not _puts(write, "COMMAND#")])


@mutation(3)
def the_second_event_of_a_transaction_is_forgotten() -> Any:
    def changed(writes: list[Write]) -> list[Write]:
        events = [write for write in writes if _puts(write, "EVENT#")]
        return [write for write in writes if write not in events[1:]]

    return _transaction(changed)


@mutation(133)
def events_are_published_beside_the_outbox_s_failures() -> Any:
    def put(real: Any, self: Any, images: Any) -> int:
        with contextlib.suppress(AppError):
            real(self, images)
        return 0

    return _method(outbox.EventBus, "put", put)


@mutation(9)
def partial_failures_of_put_events_are_ignored() -> Any:
    def put(real: Any, self: Any, images: Any) -> int:
        events = [image for image in images if "detail_type" in image]
        for start in range(0, len(events), outbox.BATCH):
            self.client.put_events(
                Entries=[
                    {
                        "EventBusName": self.name,
                        "Source": SOURCE,
                        "DetailType": event["detail_type"]["S"],
                        "Detail": event["detail"]["S"],
                    }
                    for event in events[start : start + outbox.BATCH]
                ]
            )
        return len(events)

    return _method(outbox.EventBus, "put", put)


@mutation(3)
def partial_failures_of_a_batch_of_messages_are_ignored() -> Any:
    def in_batches(real: Any, entries: Any, send: Any, pause: Any) -> None:
        real(entries, lambda batch: send(batch) and [], pause)

    return _method(outbox, "_in_batches", in_batches)


@mutation(3)
def a_read_speaks_although_it_began_before_the_last_write() -> Any:
    def reconcile(real: Any, held: Any, seen: Any, **named: Any) -> Any:
        if held is not None and held.removed_at is None:
            held = replace(held, written_at=None, read_started_at=min(held.read_started_at, seen.read_started_at))
        return real(held, seen, **named)

    return _method(ledger, "reconcile", reconcile)


@mutation(3)
def accounts_are_read_without_all() -> Any:
    return _method(PowensUser, "_accounts", lambda real, self, what, path: real(self, what, path.removesuffix("?all")))


@mutation(10)
def accounts_are_updated_without_all() -> Any:
    def call(real: Any, self: Any, what: str, method: str, url: str, **named: Any) -> Any:
        return real(self, what, method, url.removesuffix("?all") if method == "POST" else url, **named)

    return _method(PowensUser, "_call", call)


@mutation(1)
def an_account_that_an_answer_leaves_out_is_closed_at_once() -> Any:
    return mock.patch.object(reconciler, "MISSING_FOR", timedelta())


@mutation(5)
def an_account_that_comes_back_disabled_is_taken_for_a_choice() -> Any:
    return mock.patch.object(
        Transition, "restore", lambda self, account, observed, ask=None: replace(account, wanted=account.enabled)
    )


@mutation(12)
def an_undo_restores_what_was_chosen() -> Any:
    return mock.patch.object(ledger, "undo", lambda operation, now: {i.account_id: i.wanted for i in operation.items})


@mutation(31)
def if_match_is_not_looked_at() -> Any:
    from functions.accounts_api import connections

    return mock.patch.object(connections, "editions_of", return_value=None)


@mutation(3)
def the_revision_does_not_grow_with_a_new_status() -> Any:
    def with_facts(real: Any, connection: Any, *args: Any) -> Any:
        decided = real(connection, *args)
        if decided.connection.announced_status != connection.announced_status and not args[0]:
            return replace(decided, connection=replace(decided.connection, revision=connection.revision))
        return decided

    return _method(outcome, "with_facts", with_facts)


@mutation(3)
def the_user_s_token_is_logged() -> Any:
    def open_access(real: Any, self: Any, access: Any) -> Any:
        user = real(self, access)
        logger.info("opened", extra={"with": user._token})
        return user

    return _method(Access, "_open", open_access)


@mutation(40)
def a_hint_counts_as_covered_by_a_read_that_began_before_it() -> Any:
    def covered(real: Any, connection: Any, received_at: Any) -> bool:
        return bool(real(connection, received_at - timedelta(seconds=30)))

    return _method(ledger, "covered", covered)


@mutation(8)
def a_user_whose_creation_was_cut_short_is_created_again() -> Any:
    return _method(Access, "_resume", lambda real, self, powens_user_id: None)


@mutation(137)
def an_answer_is_not_kept_for_its_key() -> Any:
    def draft(real: Any, self: Any, *args: Any, **named: Any) -> Any:
        made = real(self, *args, **named)
        return replace(made, write=lambda _: made.write(None))

    return _method(Changes, "draft", draft)


@mutation(5)
def one_account_seen_twice_counts_twice() -> Any:
    return mock.patch("shared.contracts.api.accounts.duplicates", return_value={})


@mutation(5)
def copies_are_ranked_by_age() -> Any:
    def rank(real: Any, held: Any, working: Any) -> Any:
        enabled, *_, discovered, name = real(held, working)
        return (enabled, discovered, name)

    return _method(copies, "_rank", rank)


@mutation(355)
def an_iban_identifies_without_the_type() -> Any:
    return mock.patch.object(matching, "account_type", return_value="account")


@mutation(34)
def a_filler_number_identifies() -> Any:
    return mock.patch.object(answers, "identifying_number", lambda number: number)


@mutation(6)
def one_field_that_cannot_be_read_makes_the_answer_unusable() -> Any:
    def read(real: Any, self: Any, name: str, convert: Any) -> Any:
        value = self.item.get(name)
        return None if value is None else convert(value)

    return _method(answers._Fields, "read", read)


@mutation(20)
def an_id_that_is_only_absent_is_taken_over() -> Any:
    return mock.patch.object(matching, "MISSING_FOR", timedelta())


@mutation(23)
def an_account_that_moved_stays_where_it_was() -> Any:
    return mock.patch.object(Moves, "departures", return_value=())


@mutation(71)
def no_balance_overwrites_the_last_good_one() -> Any:
    def described(real: Any, account: Any, seen: Any, failing: bool) -> Any:
        return replace(real(account, seen, failing), balance=seen.balance)

    return _method(reconciler, "described", described)


@mutation(102)
def an_older_date_ends_a_refresh() -> Any:
    def end(real: Any, transition: Any, before: Any) -> None:
        if transition.connection.last_success_at != before.last_success_at:
            operations = [
                replace(o, last_success_at=None) if o.kind == "refresh" else o for o in transition.connection.operations
            ]
            transition.connection = replace(transition.connection, operations=tuple(operations))
            before = replace(before, last_success_at=None)
        real(transition, before)

    return _method(reconciler, "_end_refreshes", end)


@mutation(2772)
def a_list_ends_with_its_first_page() -> Any:
    return mock.patch.object(lists, "_total_of", return_value=None)


@mutation(5)
def a_forbidden_update_asks_for_another_token() -> Any:
    def call(real: Any, self: Any, *args: Any, **named: Any) -> Any:
        try:
            return real(self, *args, **named)
        except PowensForbidden:
            self._on_renewed(self._renew(self._id_user))
            raise

    return _method(PowensUser, "_call", call)


@mutation(10)
def the_second_return_of_a_visit_is_thrown_away() -> Any:
    used = set()

    def session(real: Any, self: Any, state: str) -> Any:
        known = real(self, state)
        if state in used:
            return None
        used.add(state)
        return known

    return _method(DynamoDBWebviewSessions, "session", session)


@mutation(20)
def a_selection_that_cannot_be_read_counts_as_unticked() -> Any:
    return _method(
        answers,
        "_selection",
        lambda real, *args: True if real(*args) is None else real(*args),
    )


@mutation(24)
def an_account_without_a_readable_id_counts_as_gone() -> Any:
    return _method(
        PowensUser, "_observed", lambda real, self, *args, **named: replace(real(self, *args, **named), unidentified=0)
    )


@mutation(10)
def a_screen_is_told_after_its_token_has_expired() -> Any:
    return _method(
        Live, "open", lambda real, *args, token_until, **named: real(*args, token_until=token_until + timedelta(days=1))
    )


@mutation(12)
def a_screen_is_forgotten_while_it_is_being_opened() -> Any:
    return mock.patch.object(live, "SETTLED_AFTER", timedelta())


@mutation(5)
def the_bus_is_told_before_the_table() -> Any:
    """A screen that asks at once is shown less than it was told of."""
    return _method(Live, "tell", lambda real, *args, revision, **named: real(*args, revision=revision + 1, **named))


@mutation(5)
def what_a_newer_release_knows_is_dropped_at_write_back() -> Any:
    def forgotten(part: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in part.items() if name != "unknown"}

    return mock.patch.object(documents, "_with_unknown", forgotten)


@mutation(528)
def a_tie_is_decided_silently() -> Any:
    def decide(real: Any, *args: Any) -> None:
        real(*args)
        args[-1].tied.clear()

    return _method(matching, "_decide", decide)


@mutation(12)
def what_powens_plans_is_not_waited_for() -> Any:
    """Whatever `next_try` says, it is expected a day after the last success."""
    return _method(expectation, "_plan", lambda real, connection: real(replace(connection, next_try=None)))


@mutation(28)
def nobody_is_expected_back_from_the_webview() -> Any:
    return mock.patch.object(webview, "BACK_WITHIN", timedelta(days=400))
