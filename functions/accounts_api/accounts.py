"""Accounts: synchronised ones are looked at, renamed and chosen; manual ones are kept, valued and joined as well."""

from collections.abc import Callable
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Concatenate

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from functions.accounts_api.container import container
from functions.accounts_api.reply import (
    OPERATION_HEADERS,
    accepted,
    answering,
    answers,
    done,
    json_reply,
    operation_reply,
    problems,
    shown_id,
)
from functions.accounts_api.request import AccountId, Cursor, IdempotencyKey, SuggestedId, read_request
from shared.application.manual import ManualDraft
from shared.application.ports import Listed
from shared.application.request import Request
from shared.application.writing import Draft
from shared.contracts.api.accounts import (
    AccountPatch,
    AccountRelations,
    AccountView,
    EnabledRequest,
    account_view,
    manual_view,
)
from shared.contracts.api.manual import BalancesView, LinkRequest, ManualAccountRequest, balances_view
from shared.contracts.api.operations import OperationView, operation_view
from shared.contracts.texts import Language
from shared.domain.connection import Connection, Operation
from shared.domain.errors import Conflict, NotFound
from shared.domain.manual import ManualAccount

router = APIGatewayHttpRouter()


@router.get("/v1/accounts/<account_id>", responses={**answers(AccountView), **problems(404, "account_not_found")})
def get_account(account_id: AccountId) -> Response[Any]:
    """Show an account.

    Synchronised and manual accounts have the same shape.
    """
    request = read_request(router.current_event)
    return json_reply(_account(account_id, container().connection_store.listed(request.user_id), request.language))


@router.get(
    "/v1/accounts/<account_id>/balances",
    responses={
        **answers(BalancesView),
        **problems(404, "account_not_found"),
        **problems(422, "invalid_cursor"),
    },
)
def list_balances(account_id: AccountId, cursor: Cursor = None) -> Response[Any]:
    """List the balances of an account, the newest first.

    Of a manual account all that its user typed; of a synchronised one the balance of now. Of two joined accounts either
    shows both, as one line.
    """
    user_id = read_request(router.current_event).user_id
    balances, following = container().manual_accounts.balances(user_id, account_id, cursor=cursor)
    return json_reply(balances_view(balances, following).model_dump_json())


@router.post(
    "/v1/accounts",
    responses={
        **answers(AccountView, 201, headers=["Location"]),
        **problems(409, "too_many_manual_accounts"),
        **problems(422, "unknown_currency", "balance_out_of_range", "negative_balance_not_allowed"),
    },
)
def add_manual_account(
    body: ManualAccountRequest,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001 - in `request`; here for the OpenAPI document
) -> Response[Any]:
    """Add a manual account.

    For what no institution gives: the user keeps it, with balances typed in. At most 100.
    """
    request = read_request(router.current_event)

    def render(added: tuple[ManualAccount, Listed]) -> tuple[int, str]:
        account, listed = added
        return 201, _account(account.id, listed, request.language)

    status, answer = answering().once(
        render,
        container().manual_accounts.add,
        request,
        name=body.name,
        kind=body.type,
        currency=body.currency,
        balance=Decimal(body.balance),
        institution_name=body.institution_name,
    )
    return json_reply(answer, status, {"Location": f"/v1/accounts/{shown_id(answer)}"})


@router.delete(
    "/v1/accounts/<account_id>",
    responses={
        204: {"description": "Deleted."},
        **problems(404, "account_not_found"),
        **problems(409, "account_is_joined", "not_a_manual_account"),
    },
)
def delete_manual_account(
    account_id: AccountId,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001
) -> Response[Any]:
    """Delete a manual account.

    With all of its balances, at once and for good. A joined one must be parted from the other before.
    """
    return done(container().manual_accounts.delete, read_request(router.current_event), account_id)


@router.put(
    "/v1/accounts/<account_id>/link",
    responses={
        **answers(AccountView, says="The manual account."),
        **problems(404, "account_not_found"),
        **problems(
            409,
            "not_a_manual_account",
            "not_a_synchronised_account",
            "account_already_joined",
            "too_many_joined_accounts",
            "types_differ",
            "currencies_differ",
            "account_closed_at_bank",
        ),
    },
)
def link_manual_account(
    account_id: AccountId,
    body: LinkRequest,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001
) -> Response[Any]:
    """Join a manual account with a synchronised one.

    They are the same account from then on: one of them counts, and its balances go on where the other's end.
    """
    request = read_request(router.current_event)
    return _changed(container().manual_accounts.join, request, account_id, body.account_id)


@router.delete(
    "/v1/accounts/<account_id>/link",
    responses={
        **answers(AccountView, says="The manual account."),
        **problems(404, "account_not_found"),
        **problems(409, "not_a_manual_account"),
    },
)
def unlink_manual_account(
    account_id: AccountId,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001
) -> Response[Any]:
    """Part a manual account from the synchronised one.

    Both accounts count again. Nothing changes for an account that is not joined.
    """
    return _changed(container().manual_accounts.part, read_request(router.current_event), account_id)


@router.delete(
    "/v1/accounts/<account_id>/link-suggestions/<suggested_id>",
    responses={
        204: {"description": "Not suggested again."},
        **problems(404, "account_not_found"),
        **problems(409, "not_a_manual_account", "not_a_synchronised_account"),
    },
)
def dismiss_suggestion(
    account_id: AccountId,
    suggested_id: SuggestedId,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001
) -> Response[Any]:
    """Dismiss a suggested join.

    The user says that the two accounts are not the same: this pair is not suggested again.
    """
    return done(container().manual_accounts.dismiss, read_request(router.current_event), account_id, suggested_id)


@router.patch(
    "/v1/accounts/<account_id>",
    responses={
        **answers(AccountView, says="The account with its new name or balance."),
        **answers(OperationView, 202, says="The operation that enables or disables it.", headers=OPERATION_HEADERS),
        **problems(404, "account_not_found"),
        **problems(409, "not_a_manual_account", "account_is_manual", "connection_removed", "too_many_open_operations"),
        **problems(422, "account_closed_at_bank", "balance_out_of_range", "negative_balance_not_allowed"),
    },
)
def change_account(
    account_id: AccountId,
    body: AccountPatch,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001
) -> Response[Any]:
    """Rename an account, or tell the balance of a manual one.

    Both are written at once. With `enabled`, the older way to enable or disable, it is answered with an operation.
    """
    request = read_request(router.current_event)
    # `_change` decides all: a request that is repeated is answered as it was, whatever has changed.
    status, answer = answering().once(lambda rendered: rendered, _change, request, account_id, body)
    return operation_reply(answer) if status == HTTPStatus.ACCEPTED else json_reply(answer, status)


@router.put(
    "/v1/accounts/<account_id>/enabled",
    responses={
        **answers(OperationView, 202, says="The operation that enables or disables it.", headers=OPERATION_HEADERS),
        **problems(404, "account_not_found"),
        **problems(409, "account_is_manual", "connection_removed", "too_many_open_operations"),
        **problems(422, "account_closed_at_bank"),
    },
)
def set_account_enabled(
    account_id: AccountId,
    body: EnabledRequest,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001
) -> Response[Any]:
    """Enable or disable a synchronised account.

    As a selection that changes this one account: the operation can be undone for a while, and Powens deletes the
    history of an account that is disabled.
    """
    return accepted(_set_enabled, read_request(router.current_event), account_id, body.enabled)


def _set_enabled(request: Request, account_id: str, enabled: bool) -> Draft[Operation]:
    listed = container().connection_store.listed(request.user_id)
    if listed.manual_account(account_id) is not None:
        raise Conflict("a manual account", code="account_is_manual")
    connection = _synchronised(account_id, listed)
    return container().operations.set_enabled(request, connection.id, account_id, enabled)


def _change(request: Request, account_id: str, body: AccountPatch) -> Draft[tuple[int, str]]:
    """What is asked of the account, as it is now, with the answer to it."""
    listed = container().connection_store.listed(request.user_id)
    if listed.manual_account(account_id) is not None:
        changed = _change_manual(request, account_id, body)
        return changed.of((200, _account(account_id, changed.subject[1], request.language)))
    connection = _synchronised(account_id, listed)
    if body.balance is not None:
        raise Conflict("a synchronised account", code="not_a_manual_account")
    if body.name is not None:
        renamed = container().operations.rename(request, connection.id, account_id, body.name)
        return renamed.of((200, _account(account_id, listed.after(renamed.subject), request.language)))
    begun = container().operations.set_enabled(request, connection.id, account_id, bool(body.enabled))
    return begun.of((202, operation_view(begun.subject, request.language).model_dump_json()))


def _change_manual(request: Request, account_id: str, body: AccountPatch) -> ManualDraft:
    accounts = container().manual_accounts
    if body.name is not None:
        return accounts.rename(request, account_id, body.name)
    if body.balance is not None:
        return accounts.set_balance(request, account_id, Decimal(body.balance))
    raise Conflict("a manual account", code="account_is_manual")


def _changed[**P](
    use_case: Callable[Concatenate[Request, P], ManualDraft],
    request: Request,
    *args: P.args,
    **kwargs: P.kwargs,
) -> Response[Any]:
    """200 with the manual account as `use_case(request, *args, **kwargs)` changes it, once per idempotency key."""

    def render(changed: tuple[ManualAccount, Listed]) -> tuple[int, str]:
        account, listed = changed
        return 200, _account(account.id, listed, request.language)

    status, body = answering().once(render, use_case, request, *args, **kwargs)
    return json_reply(body, status)


def _account(account_id: str, listed: Listed, language: Language) -> str:
    relations = AccountRelations.of(listed, container().clock())
    manual = listed.manual_account(account_id)
    if manual is not None:
        return manual_view(manual, relations).model_dump_json()
    connection = _synchronised(account_id, listed)
    account = connection.account(account_id)
    assert account is not None  # noqa: S101 - the connection was found by this very account
    return account_view(account, connection, relations=relations, language=language).model_dump_json()


def _synchronised(account_id: str, listed: Listed) -> Connection:
    """The connection that has the account."""
    connection = listed.having(account_id)
    if connection is None:
        raise NotFound("no such account", code="account_not_found")
    return connection
