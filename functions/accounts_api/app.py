"""The HTTP API: queries, and the recording of what a user asks for. Trigger: HTTP API; the user is the token's `sub`.

A query is one DynamoDB Query. A mutation is answered once it is written down, together with the command that will carry
it out; nothing here waits for Powens but the opening of its Webview.
"""

import hashlib
import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import Annotated, Any
from urllib.parse import parse_qs

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.openapi.params import Header, Query
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from shared.application.manual import Keep as KeepManual
from shared.application.operations import Keep, confirms
from shared.application.ports import Answer, Listed
from shared.application.webview import Visit
from shared.bootstrap import Container
from shared.contracts.api import (
    AccountPatch,
    AccountView,
    Around,
    BalancesView,
    ConnectionList,
    ConnectionView,
    EndConnectionRequest,
    ExportView,
    Health,
    HistoryView,
    LinkRequest,
    ManualAccountRequest,
    OperationView,
    PreviewView,
    Problem,
    SelectionRequest,
    WebviewSessionRequest,
    WebviewSessionView,
    WishRequest,
    WishView,
    account_view,
    balances_view,
    connection_view,
    entity_tag,
    erasure_view,
    export_view,
    history_entry_view,
    manual_view,
    matches,
    operation_view,
    preview_view,
    shown_institution,
    wish_view,
)
from shared.contracts.institutions import (
    IncidentList,
    InstitutionList,
    TypeDiagnosesView,
    TypeDiagnosisView,
    incident_list,
    institution_list,
    type_diagnosis_view,
)
from shared.contracts.texts import Language, institution_names, language_of
from shared.domain import ledger
from shared.domain.connection import AccountType, Connection, Operation, OperationKind
from shared.domain.diagnosis import diagnose
from shared.domain.erasure import Erasure
from shared.domain.errors import AppError, Conflict, InvalidInput, NotFound, PreconditionFailed, Unauthenticated
from shared.domain.manual import ManualAccount
from shared.entrypoints.http import (
    PROBLEM_JSON,
    HttpErrors,
    Keeper,
    declared_parameters_only,
    documented,
    json_only,
    once,
    page,
    read_json,
)
from shared.entrypoints.observability import count, logger

HISTORY_PAGE = 50
LARGEST_PAGE = 100
ERASURE_RETRY_AFTER = "5"
JSON = "application/json"

app = APIGatewayHttpResolver(enable_validation=True, json_body_deserializer=read_json)
app.use([declared_parameters_only])
HttpErrors(app)

IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key", description="same key and body, same answer")]
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        description='the `"<revision>"` that the choice was made on, several, or `*`; anything else matches nothing',
    ),
]
IfNoneMatch = Annotated[str | None, Header(alias="If-None-Match")]
Flag = Annotated[bool, Query()]
Text = Annotated[str | None, Query(max_length=200)]
PageSize = Annotated[int, Query(description=f"1 to {LARGEST_PAGE}")]


@cache
def container() -> Container:
    return Container.from_env()


def answers(model: type[BaseModel], status: int = 200) -> dict[int, Any]:
    """The documented answers of a route: `model`, or a problem; `documented` adds what other problems there are."""
    return {
        status: {"description": "the answer", "content": {JSON: {"model": model}}},
        422: {"description": "the request breaks a rule", "content": {PROBLEM_JSON: {"model": Problem}}},
    }


def _user() -> str:
    subject = (app.current_event.request_context.authorizer.jwt_claim or {}).get("sub")
    if not subject:
        raise Unauthenticated
    return str(subject)


def _language() -> Language:
    return language_of(app.current_event.headers.get("accept-language"))


def _correlation_id() -> str:
    return app.current_event.request_context.request_id


def _answer(body: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response[Any]:
    return Response(
        status_code=status, content_type=JSON, body=body, headers={"Cache-Control": "no-store", **(headers or {})}
    )


def _listed() -> Listed:
    return container().connection_store.listed(_user())


def _connection(connection_id: str) -> tuple[Connection, Around]:
    listed = _listed()
    return _held(connection_id, listed), Around.of(listed, container().clock())


def _held(connection_id: str, listed: Listed) -> Connection:
    for connection in listed.connections:
        if connection.id == connection_id:
            return connection
    raise NotFound("no such connection", code="connection_not_found")


def _view(connection: Connection, around: Around) -> ConnectionView:
    return connection_view(
        connection,
        now=container().clock(),
        around=around,
        language=_language(),
        public_url=container().settings.public_url,
    )


def _synchronised(account_id: str, listed: Listed) -> Connection:
    """The connection that has the account."""
    connection = listed.having(account_id)
    if connection is None:
        raise NotFound("no such account", code="account_not_found")
    return connection


def _account(account_id: str, listed: Listed) -> str:
    around = Around.of(listed, container().clock())
    manual = listed.manual_account(account_id)
    if manual is not None:
        return manual_view(manual, around).model_dump_json()
    connection = _synchronised(account_id, listed)
    account = connection.account(account_id)
    assert account is not None  # noqa: S101 - the connection was found by this very account
    return account_view(account, connection, around=around, language=_language()).model_dump_json()


def _operation(run: Callable[[Keep], Operation]) -> Response[Any]:
    """Answer 202 with the operation that `run` records, once per idempotency key."""
    language = _language()

    def shown(operation: Operation) -> str:
        return operation_view(operation, language).model_dump_json()

    def recorded(keeper: Keeper) -> tuple[int, str]:
        return 202, shown(run(lambda operation: keeper(202, shown(operation))))

    status, body = once(container().answer_store, app, _user(), recorded)
    return _answer(body, status, {"Location": f"/v1/operations/{json.loads(body)['id']}", "Retry-After": "1"})


def _manual(run: Callable[[KeepManual], tuple[ManualAccount, Listed]], status: int = 200) -> tuple[int, str]:
    """The answer with the manual account that `run` changes, once per idempotency key."""

    def changed(keeper: Keeper) -> tuple[int, str]:
        account, listed = run(lambda account, listed: keeper(status, _account(account.id, listed)))
        return status, _account(account.id, listed)

    return once(container().answer_store, app, _user(), changed)


@app.get("/health", responses=answers(Health))
def health() -> Response[Any]:
    return _answer(Health().model_dump_json())


@app.get("/v1/openapi.json", include_in_schema=False)
def openapi() -> Response[Any]:
    return _answer(openapi_json())


@app.get("/v1/connections", responses=answers(ConnectionList))
def list_connections(if_none_match: IfNoneMatch = None) -> Response[Any]:
    listed = _listed()
    around = Around.of(listed, container().clock())
    shown = ConnectionList(
        connections=tuple(_view(connection, around) for connection in listed.connections),
        manual_accounts=tuple(manual_view(account, around) for account in listed.manual_accounts),
        wishes=tuple(wish_view(wish) for wish in listed.wishes),
    )
    body = shown.model_dump_json()
    tag = f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'
    if if_none_match is not None and tag in [t.strip().removeprefix("W/") for t in if_none_match.split(",")]:
        return Response(status_code=304, headers={"ETag": tag, "Cache-Control": "no-cache"})
    return _answer(body, headers={"ETag": tag, "Cache-Control": "no-cache"})


@app.get("/v1/connections/<connection_id>", responses=answers(ConnectionView))
def get_connection(connection_id: str) -> Response[Any]:
    connection, around = _connection(connection_id)
    return _answer(_view(connection, around).model_dump_json(), headers={"ETag": entity_tag(connection)})


@app.put("/v1/connections/<connection_id>/selection", responses={**answers(PreviewView), **answers(OperationView, 202)})
def put_selection(
    connection_id: str,
    body: SelectionRequest,
    dry_run: Flag = False,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001 - read by `once`; here for the OpenAPI document
) -> Response[Any]:
    if dry_run:
        connection, _ = _connection(connection_id)
        if not matches(if_match, connection):
            raise PreconditionFailed("the connection has changed")
        wants = ledger.selection(connection, body.enabled_account_ids)
        return _answer(preview_view(connection, ledger.preview(connection, wants)).model_dump_json())
    return _operation(
        lambda keep: container().operations.choose(
            _user(),
            connection_id,
            lambda held: ledger.selection(held, body.enabled_account_ids),
            allowed=lambda held: matches(if_match, held),
            correlation_id=_correlation_id(),
            keep=keep,
        )
    )


@app.delete("/v1/connections/<connection_id>", responses=answers(OperationView, 202))
def end_connection(
    connection_id: str,
    body: EndConnectionRequest,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001
) -> Response[Any]:
    return _operation(
        lambda keep: container().operations.begin(
            _user(),
            connection_id,
            OperationKind.DELETION,
            confirmed=lambda held: any(confirms(body.confirm, n) for n in institution_names(held.institution.name)),
            correlation_id=_correlation_id(),
            keep=keep,
        )
    )


@app.post("/v1/connections/<connection_id>/refresh", responses=answers(OperationView, 202))
def refresh_connection(
    connection_id: str,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001
) -> Response[Any]:
    return _operation(
        lambda keep: container().operations.begin(
            _user(), connection_id, OperationKind.REFRESH, correlation_id=_correlation_id(), keep=keep
        )
    )


@app.get(
    "/v1/connections/<connection_id>/missing-accounts",
    responses={
        200: {
            "description": "the answer for the type, or for all of them",
            "content": {JSON: {"model": TypeDiagnosisView | TypeDiagnosesView}},
        },
        422: {"description": "a problem", "content": {PROBLEM_JSON: {"model": Problem}}},
    },
)
def explain_missing_accounts(connection_id: str, type: Text = None) -> Response[Any]:  # noqa: A002 - the parameter's name
    if type is not None and type not in list(AccountType):
        raise InvalidInput(f"no type {type}", code="unknown_account_type", field="type")
    listed = _listed()
    connection = _held(connection_id, listed)
    known = container().institutions.known(listed.connections)
    now = container().clock()
    name = shown_institution(connection, _language())

    def explained(kind: AccountType) -> TypeDiagnosisView:
        return type_diagnosis_view(diagnose(connection, kind, now, known), kind, name, _language())

    if type is not None:
        return _answer(explained(AccountType(type)).model_dump_json())
    diagnoses = TypeDiagnosesView(connection_id=connection.id, diagnoses=tuple(explained(kind) for kind in AccountType))
    return _answer(diagnoses.model_dump_json())


@app.get("/v1/institutions", responses=answers(InstitutionList))
def list_institutions(search: Text = None, limit: PageSize = 20) -> Response[Any]:
    """The best match first; without `search`, in the order of the alphabet."""
    if not 1 <= limit <= LARGEST_PAGE:
        raise InvalidInput("no such page", code="invalid_limit", field="limit")
    institutions = container().institutions
    listed = institution_list(
        institutions.search(search or "", most=limit),
        institutions.catalogue(),
        now=container().clock(),
        public_url=container().settings.public_url,
    )
    return _answer(listed.model_dump_json(), headers={"Cache-Control": "private, max-age=60"})


@app.get("/v1/incidents", responses=answers(IncidentList))
def list_incidents() -> Response[Any]:
    """What many users of an institution meet at the same time."""
    return _answer(incident_list(container().institutions.incidents(), _language()).model_dump_json())


@app.get("/v1/institutions/<institution_id>/logo", include_in_schema=False)
def institution_logo(institution_id: str) -> Response[Any]:
    """From us, so that no screen has to tell another host which banks somebody has."""
    picture: Response[Any] = Response(
        status_code=200,
        content_type="image/png",
        # As text already: the resolver's validation would read bytes as UTF-8.
        body=b64encode(container().powens.logo(institution_id)).decode(),
        headers={"Cache-Control": "private, max-age=604800"},
    )
    picture.base64_encoded = True
    return picture


@app.get("/v1/accounts/<account_id>", responses=answers(AccountView))
def get_account(account_id: str) -> Response[Any]:
    return _answer(_account(account_id, _listed()))


@app.get("/v1/accounts/<account_id>/balances", responses=answers(BalancesView))
def list_balances(account_id: str, cursor: Text = None) -> Response[Any]:
    balances, following = container().manual_accounts.balances(_user(), account_id, cursor=cursor)
    return _answer(balances_view(balances, following).model_dump_json())


@app.post("/v1/accounts", responses=answers(AccountView, 201))
def add_manual_account(
    body: ManualAccountRequest,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001
) -> Response[Any]:
    status, answer = _manual(
        lambda keep: container().manual_accounts.add(
            _user(),
            name=body.name,
            kind=body.type,
            currency=body.currency,
            balance=Decimal(body.balance),
            institution_name=body.institution_name,
            correlation_id=_correlation_id(),
            keep=keep,
        ),
        201,
    )
    return _answer(answer, status, {"Location": f"/v1/accounts/{json.loads(answer)['id']}"})


@app.delete("/v1/accounts/<account_id>", responses={204: {"description": "dropped"}})
def drop_manual_account(
    account_id: str,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001
) -> Response[Any]:
    return _done(
        lambda answer: container().manual_accounts.drop(
            _user(), account_id, correlation_id=_correlation_id(), answer=answer
        )
    )


def _done(run: Callable[[Answer | None], None]) -> Response[Any]:
    """Answer 204 when `run` is done, once per idempotency key."""

    def done(keeper: Keeper) -> tuple[int, str]:
        run(keeper(204, ""))
        return 204, ""

    status, _ = once(container().answer_store, app, _user(), done)
    return Response(status_code=status)


@app.put("/v1/accounts/<account_id>/link", responses=answers(AccountView))
def link_manual_account(
    account_id: str,
    body: LinkRequest,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001
) -> Response[Any]:
    status, answer = _manual(
        lambda keep: container().manual_accounts.link(
            _user(), account_id, body.account_id, correlation_id=_correlation_id(), keep=keep
        )
    )
    return _answer(answer, status)


@app.delete("/v1/accounts/<account_id>/link", responses=answers(AccountView))
def unlink_manual_account(
    account_id: str,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001
) -> Response[Any]:
    status, answer = _manual(
        lambda keep: container().manual_accounts.unlink(
            _user(), account_id, correlation_id=_correlation_id(), keep=keep
        )
    )
    return _answer(answer, status)


@app.delete(
    "/v1/accounts/<account_id>/link-suggestions/<suggested_id>", responses={204: {"description": "not the same"}}
)
def dismiss_suggestion(
    account_id: str,
    suggested_id: str,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001
) -> Response[Any]:
    return _done(
        lambda answer: container().manual_accounts.dismiss(
            _user(), account_id, suggested_id, correlation_id=_correlation_id(), keep=lambda *_: answer
        )
    )


@app.patch("/v1/accounts/<account_id>", responses={**answers(AccountView), **answers(OperationView, 202)})
def patch_account(
    account_id: str,
    body: AccountPatch,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001
) -> Response[Any]:
    listed = _listed()
    if listed.manual_account(account_id) is not None:
        return _patch_manual(account_id, body)
    connection = _synchronised(account_id, listed)
    if body.balance is not None:
        raise Conflict("a synchronised account", code="not_a_manual_account")
    if body.name is not None:
        return _rename(account_id, body.name, connection, listed)
    wanted = bool(body.enabled)
    return _operation(
        lambda keep: container().operations.choose(
            _user(),
            connection.id,
            lambda _: {account_id: wanted},
            insist=True,
            correlation_id=_correlation_id(),
            keep=keep,
        )
    )


def _patch_manual(account_id: str, body: AccountPatch) -> Response[Any]:
    name, balance = body.name, body.balance
    accounts, correlation_id = container().manual_accounts, _correlation_id()

    def changed(keep: KeepManual) -> tuple[ManualAccount, Listed]:
        if name is not None:
            return accounts.rename(_user(), account_id, name, correlation_id=correlation_id, keep=keep)
        if balance is not None:
            return accounts.set_balance(_user(), account_id, Decimal(balance), correlation_id=correlation_id, keep=keep)
        raise Conflict("a manual account", code="account_is_manual")

    status, answer = _manual(changed)
    return _answer(answer, status)


def _rename(account_id: str, name: str, connection: Connection, listed: Listed) -> Response[Any]:
    def renamed(keeper: Keeper) -> tuple[int, str]:
        def shown(held: Connection) -> str:
            return _account(account_id, listed.after(held))

        held = container().operations.rename(
            _user(),
            connection.id,
            account_id,
            name,
            correlation_id=_correlation_id(),
            keep=lambda held: keeper(200, shown(held)),
        )
        return 200, shown(held)

    status, body = once(container().answer_store, app, _user(), renamed)
    return _answer(body, status)


@app.post("/v1/wishes", responses={**answers(WishView), **answers(WishView, 201)})
def add_wish(
    body: WishRequest,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001
) -> Response[Any]:
    def recorded(keeper: Keeper) -> tuple[int, str]:
        status, wish = container().wishes.add(
            _user(),
            body.institution_id,
            body.type,
            correlation_id=_correlation_id(),
            keep=lambda status, wish: keeper(status, wish_view(wish).model_dump_json()),
        )
        return status, wish_view(wish).model_dump_json()

    status, answer = once(container().answer_store, app, _user(), recorded)
    return _answer(answer, status)


@app.delete("/v1/wishes/<wish_id>", responses={204: {"description": "no longer wished, or read"}})
def dismiss_wish(
    wish_id: str,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001
) -> Response[Any]:
    return _done(lambda answer: container().wishes.dismiss(_user(), wish_id, answer=answer))


@app.get("/v1/operations/<operation_id>", responses=answers(OperationView))
def get_operation(operation_id: str) -> Response[Any]:
    operation = container().operation_store.operation(_user(), operation_id)
    if operation is None:
        return _erasure(operation_id)
    headers = {"Retry-After": "1"} if operation.open else {}
    return _answer(operation_view(operation, _language()).model_dump_json(), headers=headers)


def _erasure(erasure_id: str) -> Response[Any]:
    erasure = container().erasure_store.erasure(_user(), erasure_id)
    if erasure is None:
        raise NotFound("no such operation", code="operation_not_found")
    headers = {"Retry-After": ERASURE_RETRY_AFTER} if erasure.ended_at is None else {}
    return _answer(erasure_view(erasure).model_dump_json(), headers=headers)


@app.post("/v1/operations/<operation_id>/undo", responses=answers(OperationView, 202))
def undo_operation(
    operation_id: str,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001
) -> Response[Any]:
    return _operation(
        lambda keep: container().operations.undo(_user(), operation_id, correlation_id=_correlation_id(), keep=keep)
    )


@app.post("/v1/webview-sessions", responses=answers(WebviewSessionView, 201))
def open_webview(
    body: WebviewSessionRequest,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001
) -> Response[Any]:
    user_id = _user()

    def shown(visit: Visit) -> str:
        return WebviewSessionView(url=visit.url, expires_at=visit.expires_at).model_dump_json()

    def opened(keeper: Keeper) -> tuple[int, str]:
        visit = container().open_webview(
            user_id,
            flow=body.flow,
            connection_id=body.connection_id,
            language=body.language or _language(),
            return_to=body.return_to,
            correlation_id=_correlation_id(),
            answer=lambda visit: keeper(201, shown(visit)),
        )
        return 201, shown(visit)

    # The address holds a code that opens the user's Powens space: it is kept sealed, or not at all.
    status, answer = once(
        container().answer_store,
        app,
        user_id,
        opened,
        seal=lambda text: b64encode(container().seal.seal(user_id, text)).decode(),
        unseal=lambda text: container().seal.unseal(user_id, b64decode(text)),
    )
    return _answer(answer, status)


@app.get("/v1/webview-return", include_in_schema=False)
def return_from_webview() -> Response[Any]:
    """Where Powens sends the browser. No parameter is declared: a person is never shown why one is refused."""
    # Without the empty ones: `error=` says that there is none.
    query = parse_qs(app.current_event.raw_event.get("rawQueryString", ""))
    address = container().return_from_webview(
        query.get("state", ()),
        error=next(iter(query.get("error", ())), None),
        correlation_id=_correlation_id(),
        missed=_missed,
    )
    if address is None:
        return page("webview_return", _language())
    return Response(
        status_code=303,
        headers={"Location": address, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"},
    )


def _missed(error: AppError) -> None:
    count("FailedRequests")
    logger.warning("the return of a visit was not noted", extra={"code": error.code, "kind": type(error).__name__})


@app.get("/v1/history", responses=answers(HistoryView))
def list_history(connection_id: Text = None, cursor: Text = None) -> Response[Any]:
    entries, following = container().history_store.history(
        _user(), connection_id=connection_id, cursor=cursor, limit=HISTORY_PAGE
    )
    history = HistoryView(entries=tuple(history_entry_view(entry) for entry in entries), next=following)
    return _answer(history.model_dump_json())


@app.get("/v1/me/export", responses=answers(ExportView))
def export_me(cursor: Annotated[str | None, Query(max_length=2000)] = None) -> Response[Any]:
    items, following = container().export_store.export(_user(), cursor=cursor)
    exported = export_view(_user(), items, following, container().clock())
    headers = {"Content-Disposition": 'attachment; filename="synced-accounts.json"'}
    return _answer(exported.model_dump_json(), headers=headers)


@app.delete("/v1/me", responses=answers(OperationView, 202))
def erase_me(
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001
) -> Response[Any]:
    def begun(keeper: Keeper) -> tuple[int, str]:
        def shown(erasure: Erasure) -> str:
            return erasure_view(erasure).model_dump_json()

        erasure = container().begin_erasure(
            _user(), correlation_id=_correlation_id(), keep=lambda erasure: keeper(202, shown(erasure))
        )
        return 202, shown(erasure)

    status, body = once(container().answer_store, app, _user(), begun)
    location = f"/v1/operations/{json.loads(body)['id']}"
    return _answer(body, status, {"Location": location, "Retry-After": ERASURE_RETRY_AFTER})


@cache
def openapi_json() -> str:
    """The OpenAPI 3.1 document, made from the routes and models of this module."""
    return documented(app.get_openapi_json_schema(title="synced-accounts", version="1", description=__doc__ or ""))


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    if event.get("rawPath") != "/health":
        container().remaining_seconds = lambda: context.get_remaining_time_in_millis() / 1000
    return app.resolve(json_only(event), context)
