"""The HTTP API: queries, and the recording of what a user asks for. Trigger: HTTP API; the user is the token's `sub`.

A query is one DynamoDB Query. A mutation is answered once it is written down, together with the command that will carry
it out; nothing here waits for Powens but the opening of its Webview.
"""

import hashlib
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache, partial
from typing import Annotated, Any, Concatenate
from urllib.parse import parse_qs

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.openapi.params import Header, Query
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from functions.accounts_api.container import container
from shared.application.manual import ManualDraft
from shared.application.operations import require_edition
from shared.application.ports import Listed
from shared.application.request import Idempotency, Request
from shared.application.webview import Visit
from shared.application.wishes import RecordedWish
from shared.application.writing import Draft
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
from shared.domain.connection import AccountType, Connection, Operation
from shared.domain.diagnosis import diagnose
from shared.domain.erasure import Erasure
from shared.domain.errors import AppError, Conflict, InvalidInput, NotFound, Unauthenticated
from shared.domain.manual import ManualAccount
from shared.entrypoints.http import (
    PROBLEM_JSON,
    READING_METHODS,
    HttpErrors,
    declared_parameters_only,
    documented,
    json_only,
    page,
    read_json,
)
from shared.entrypoints.idempotency import answered_once
from shared.entrypoints.metrics import Metric
from shared.entrypoints.observability import count, logger

LARGEST_PAGE = 100

IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key", description="same key and body, same answer")]
"""Declared by every mutation for the OpenAPI document; `read_request` reads it."""
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

_ENTITY_TAG = re.compile(r'(?:W/)?"([^"]*)"')


def read_request(event: APIGatewayProxyEventV2) -> Request:
    """Raises Unauthenticated for a token that names nobody."""
    subject = (event.request_context.authorizer.jwt_claim or {}).get("sub")
    if not subject:
        raise Unauthenticated
    return Request(
        user_id=str(subject),
        correlation_id=event.request_context.request_id,
        language=read_language(event),
        idempotency=_idempotency(event),
    )


def read_language(event: APIGatewayProxyEventV2) -> Language:
    return language_of(event.headers.get("accept-language"))


def editions_of(if_match: str | None) -> frozenset[str] | None:
    """The editions of a connection that `If-Match` (RFC 9110) allows to change; None: any, empty: what is no tag.

    A weak tag counts like the strong one: gateways that compress an answer weaken its tag on the way.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    unread = _ENTITY_TAG.sub("", if_match).strip(", \t")
    return frozenset() if unread else frozenset(_ENTITY_TAG.findall(if_match))


def _idempotency(event: APIGatewayProxyEventV2) -> Idempotency | None:
    key = event.headers.get("idempotency-key")
    if key is None or event.http_method in READING_METHODS:
        return None
    return Idempotency(key=key, fingerprint=_fingerprint(event))


def _fingerprint(event: APIGatewayProxyEventV2) -> str:
    raw: dict[str, Any] = event.raw_event
    query = raw.get("rawQueryString", "")
    try:
        # The order of its members does not make another request.
        canonical = json.dumps(read_json(event.body or "null"), sort_keys=True)
    except json.JSONDecodeError:
        canonical = event.body or ""  # of a route that takes no body and so did not look at this one
    request = f"{event.http_method}\n{event.path}\n{query}\n{canonical}"
    return hashlib.sha256(request.encode(errors="backslashreplace")).hexdigest()


JSON = "application/json"
ERASURE_RETRY_AFTER = "5"
"""Seconds between two looks at an erasure that is under way."""


def answers(model: type[BaseModel], status: int = 200) -> dict[int, Any]:
    """The documented answers of a route: `model`, or a problem; `documented` adds what other problems there are."""
    return {
        status: {"description": "the answer", "content": {JSON: {"model": model}}},
        422: {"description": "the request breaks a rule", "content": {PROBLEM_JSON: {"model": Problem}}},
    }


def json_reply(body: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response[Any]:
    return Response(
        status_code=status, content_type=JSON, body=body, headers={"Cache-Control": "no-store", **(headers or {})}
    )


def shown_id(body: str) -> str:
    """The id of what an answer shows. Of an answer that was kept for its key, the body is all that there is."""
    shown: str = json.loads(body)["id"]
    return shown


def accepted[**P](
    use_case: Callable[Concatenate[Request, P], Draft[Operation]], request: Request, *args: P.args, **kwargs: P.kwargs
) -> Response[Any]:
    """202 with the operation that `use_case(request, *args, **kwargs)` drafts, once per idempotency key."""

    def render(operation: Operation) -> tuple[int, str]:
        return 202, operation_view(operation, request.language).model_dump_json()

    attempt = partial(use_case, request, *args, **kwargs)
    status, body = answered_once(container().store, request, attempt, render)
    return json_reply(body, status, {"Location": f"/v1/operations/{shown_id(body)}", "Retry-After": "1"})


def done[**P](
    use_case: Callable[Concatenate[Request, P], Draft[Any]], request: Request, *args: P.args, **kwargs: P.kwargs
) -> Response[Any]:
    """204 when what `use_case(request, *args, **kwargs)` drafts is written, once per idempotency key."""
    attempt = partial(use_case, request, *args, **kwargs)
    status, _ = answered_once(container().store, request, attempt, lambda _: (204, ""))
    return Response(status_code=status)


app = APIGatewayHttpResolver(enable_validation=True, json_body_deserializer=read_json)
app.use([declared_parameters_only])
HttpErrors(app)


@app.get("/health", responses=answers(Health))
def health() -> Response[Any]:
    return json_reply(Health().model_dump_json())


@app.get("/v1/openapi.json", include_in_schema=False)
def openapi() -> Response[Any]:
    return json_reply(openapi_json())


@app.get("/v1/connections", responses=answers(ConnectionList))
def list_connections(if_none_match: IfNoneMatch = None) -> Response[Any]:
    request = read_request(app.current_event)
    listed = container().store.listed(request.user_id)
    around = Around.of(listed, container().clock())
    shown = ConnectionList(
        connections=tuple(_view(connection, around, request.language) for connection in listed.connections),
        manual_accounts=tuple(manual_view(account, around) for account in listed.manual_accounts),
        wishes=tuple(wish_view(wish) for wish in listed.wishes),
    )
    body = shown.model_dump_json()
    tag = f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'
    if if_none_match is not None and tag in [t.strip().removeprefix("W/") for t in if_none_match.split(",")]:
        return Response(status_code=304, headers={"ETag": tag, "Cache-Control": "no-cache"})
    return json_reply(body, headers={"ETag": tag, "Cache-Control": "no-cache"})


@app.get("/v1/connections/<connection_id>", responses=answers(ConnectionView))
def get_connection(connection_id: str) -> Response[Any]:
    request = read_request(app.current_event)
    listed = container().store.listed(request.user_id)
    connection = _find(connection_id, listed)
    view = _view(connection, Around.of(listed, container().clock()), request.language)
    return json_reply(view.model_dump_json(), headers={"ETag": entity_tag(connection)})


@app.put("/v1/connections/<connection_id>/selection", responses={**answers(PreviewView), **answers(OperationView, 202)})
def put_selection(
    connection_id: str,
    body: SelectionRequest,
    dry_run: Flag = False,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001
) -> Response[Any]:
    request = read_request(app.current_event)
    editions = editions_of(if_match)
    if dry_run:
        connection = _find(connection_id, container().store.listed(request.user_id))
        require_edition(connection, editions)
        wants = ledger.selection(connection, body.enabled_account_ids)
        return json_reply(preview_view(connection, ledger.preview(connection, wants)).model_dump_json())
    select = container().operations.select
    return accepted(select, request, connection_id, body.enabled_account_ids, editions=editions)


@app.delete("/v1/connections/<connection_id>", responses=answers(OperationView, 202))
def end_connection(
    connection_id: str,
    body: EndConnectionRequest,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001
) -> Response[Any]:
    return accepted(
        container().operations.end,
        read_request(app.current_event),
        connection_id,
        typed=body.confirm,
        names_if_unnamed=institution_names(""),
    )


@app.post("/v1/connections/<connection_id>/refresh", responses=answers(OperationView, 202))
def refresh_connection(
    connection_id: str,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001
) -> Response[Any]:
    return accepted(container().operations.refresh, read_request(app.current_event), connection_id)


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
    request = read_request(app.current_event)
    listed = container().store.listed(request.user_id)
    connection = _find(connection_id, listed)
    known = container().institutions.known(listed.connections)
    now = container().clock()
    name = shown_institution(connection, request.language)

    def explained(kind: AccountType) -> TypeDiagnosisView:
        return type_diagnosis_view(diagnose(connection, kind, now, known), kind, name, request.language)

    if type is not None:
        return json_reply(explained(AccountType(type)).model_dump_json())
    diagnoses = TypeDiagnosesView(connection_id=connection.id, diagnoses=tuple(explained(kind) for kind in AccountType))
    return json_reply(diagnoses.model_dump_json())


def _find(connection_id: str, listed: Listed) -> Connection:
    for connection in listed.connections:
        if connection.id == connection_id:
            return connection
    raise NotFound("no such connection", code="connection_not_found")


def _view(connection: Connection, around: Around, language: Language) -> ConnectionView:
    return connection_view(
        connection,
        now=container().clock(),
        around=around,
        language=language,
        public_url=container().settings.public_url,
    )


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
    return json_reply(listed.model_dump_json(), headers={"Cache-Control": "private, max-age=60"})


@app.get("/v1/incidents", responses=answers(IncidentList))
def list_incidents() -> Response[Any]:
    """What many users of an institution meet at the same time."""
    incidents = incident_list(container().institutions.incidents(), read_language(app.current_event))
    return json_reply(incidents.model_dump_json())


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
    request = read_request(app.current_event)
    return json_reply(_account(account_id, container().store.listed(request.user_id), request.language))


@app.get("/v1/accounts/<account_id>/balances", responses=answers(BalancesView))
def list_balances(account_id: str, cursor: Text = None) -> Response[Any]:
    user_id = read_request(app.current_event).user_id
    balances, following = container().manual_accounts.balances(user_id, account_id, cursor=cursor)
    return json_reply(balances_view(balances, following).model_dump_json())


@app.post("/v1/accounts", responses=answers(AccountView, 201))
def add_manual_account(
    body: ManualAccountRequest,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001
) -> Response[Any]:
    request = read_request(app.current_event)
    attempt = partial(
        container().manual_accounts.add,
        request,
        name=body.name,
        kind=body.type,
        currency=body.currency,
        balance=Decimal(body.balance),
        institution_name=body.institution_name,
    )

    def render(added: tuple[ManualAccount, Listed]) -> tuple[int, str]:
        account, listed = added
        return 201, _account(account.id, listed, request.language)

    status, answer = answered_once(container().store, request, attempt, render)
    return json_reply(answer, status, {"Location": f"/v1/accounts/{shown_id(answer)}"})


@app.delete("/v1/accounts/<account_id>", responses={204: {"description": "dropped"}})
def drop_manual_account(
    account_id: str,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001
) -> Response[Any]:
    return done(container().manual_accounts.drop, read_request(app.current_event), account_id)


@app.put("/v1/accounts/<account_id>/link", responses=answers(AccountView))
def link_manual_account(
    account_id: str,
    body: LinkRequest,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001
) -> Response[Any]:
    request = read_request(app.current_event)
    return _changed(container().manual_accounts.link, request, account_id, body.account_id)


@app.delete("/v1/accounts/<account_id>/link", responses=answers(AccountView))
def unlink_manual_account(
    account_id: str,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001
) -> Response[Any]:
    return _changed(container().manual_accounts.unlink, read_request(app.current_event), account_id)


@app.delete(
    "/v1/accounts/<account_id>/link-suggestions/<suggested_id>", responses={204: {"description": "not the same"}}
)
def dismiss_suggestion(
    account_id: str,
    suggested_id: str,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001
) -> Response[Any]:
    return done(container().manual_accounts.dismiss, read_request(app.current_event), account_id, suggested_id)


@app.patch("/v1/accounts/<account_id>", responses={**answers(AccountView), **answers(OperationView, 202)})
def patch_account(
    account_id: str,
    body: AccountPatch,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001
) -> Response[Any]:
    request = read_request(app.current_event)
    listed = container().store.listed(request.user_id)
    if listed.manual_account(account_id) is not None:
        return _patch_manual(request, account_id, body)
    connection = _synchronised(account_id, listed)
    if body.balance is not None:
        raise Conflict("a synchronised account", code="not_a_manual_account")
    if body.name is not None:
        return _rename(request, account_id, body.name, connection, listed)
    return accepted(container().operations.set_enabled, request, connection.id, account_id, bool(body.enabled))


def _patch_manual(request: Request, account_id: str, body: AccountPatch) -> Response[Any]:
    accounts = container().manual_accounts
    if body.name is not None:
        return _changed(accounts.rename, request, account_id, body.name)
    if body.balance is not None:
        return _changed(accounts.set_balance, request, account_id, Decimal(body.balance))
    return _changed(_refuse_selection, request)


def _refuse_selection(_: Request) -> ManualDraft:
    raise Conflict("a manual account", code="account_is_manual")


def _rename(request: Request, account_id: str, name: str, connection: Connection, listed: Listed) -> Response[Any]:
    def render(renamed: Connection) -> tuple[int, str]:
        return 200, _account(account_id, listed.after(renamed), request.language)

    attempt = partial(container().operations.rename, request, connection.id, account_id, name)
    status, body = answered_once(container().store, request, attempt, render)
    return json_reply(body, status)


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

    attempt = partial(use_case, request, *args, **kwargs)
    status, body = answered_once(container().store, request, attempt, render)
    return json_reply(body, status)


def _account(account_id: str, listed: Listed, language: Language) -> str:
    around = Around.of(listed, container().clock())
    manual = listed.manual_account(account_id)
    if manual is not None:
        return manual_view(manual, around).model_dump_json()
    connection = _synchronised(account_id, listed)
    account = connection.account(account_id)
    assert account is not None  # noqa: S101 - the connection was found by this very account
    return account_view(account, connection, around=around, language=language).model_dump_json()


def _synchronised(account_id: str, listed: Listed) -> Connection:
    """The connection that has the account."""
    connection = listed.having(account_id)
    if connection is None:
        raise NotFound("no such account", code="account_not_found")
    return connection


@app.post("/v1/wishes", responses={**answers(WishView), **answers(WishView, 201)})
def add_wish(
    body: WishRequest,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001
) -> Response[Any]:
    request = read_request(app.current_event)

    def render(recorded: RecordedWish) -> tuple[int, str]:
        return 201 if recorded.is_new else 200, wish_view(recorded.wish).model_dump_json()

    attempt = partial(container().wishes.add, request, body.institution_id, body.type)
    status, answer = answered_once(container().store, request, attempt, render)
    return json_reply(answer, status)


@app.delete("/v1/wishes/<wish_id>", responses={204: {"description": "no longer wished, or read"}})
def dismiss_wish(
    wish_id: str,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001
) -> Response[Any]:
    return done(container().wishes.dismiss, read_request(app.current_event), wish_id)


@app.get("/v1/operations/<operation_id>", responses=answers(OperationView))
def get_operation(operation_id: str) -> Response[Any]:
    request = read_request(app.current_event)
    operation = container().store.operation(request.user_id, operation_id)
    if operation is None:
        return _erasure(request, operation_id)
    headers = {"Retry-After": "1"} if operation.open else {}
    return json_reply(operation_view(operation, request.language).model_dump_json(), headers=headers)


def _erasure(request: Request, erasure_id: str) -> Response[Any]:
    erasure = container().store.erasure(request.user_id, erasure_id)
    if erasure is None:
        raise NotFound("no such operation", code="operation_not_found")
    headers = {"Retry-After": ERASURE_RETRY_AFTER} if erasure.ended_at is None else {}
    return json_reply(erasure_view(erasure).model_dump_json(), headers=headers)


@app.post("/v1/operations/<operation_id>/undo", responses=answers(OperationView, 202))
def undo_operation(
    operation_id: str,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001
) -> Response[Any]:
    return accepted(container().operations.undo, read_request(app.current_event), operation_id)


@app.post("/v1/webview-sessions", responses=answers(WebviewSessionView, 201))
def open_webview(
    body: WebviewSessionRequest,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001
) -> Response[Any]:
    request = read_request(app.current_event)
    user_id = request.user_id
    attempt = partial(
        container().open_webview.run,
        request,
        flow=body.flow,
        connection_id=body.connection_id,
        language=body.language,
        return_to=body.return_to,
    )

    def render(visit: Visit) -> tuple[int, str]:
        return 201, WebviewSessionView(url=visit.url, expires_at=visit.expires_at).model_dump_json()

    # The address holds a code that opens the user's Powens space: it is kept sealed, or not at all.
    status, answer = answered_once(
        container().store,
        request,
        attempt,
        render,
        seal=lambda text: b64encode(container().seal.seal(user_id, text)).decode(),
        unseal=lambda text: container().seal.unseal(user_id, b64decode(text)),
    )
    return json_reply(answer, status)


@app.get("/v1/webview-return", include_in_schema=False)
def return_from_webview() -> Response[Any]:
    """Where Powens sends the browser. No parameter is declared: a person is never shown why one is refused."""
    event = app.current_event
    # Without the empty ones: `error=` says that there is none.
    query = parse_qs(event.raw_event.get("rawQueryString", ""))
    address = container().return_from_webview.run(
        query.get("state", ()),
        error=next(iter(query.get("error", ())), None),
        correlation_id=event.request_context.request_id,
        missed=_missed,
    )
    if address is None:
        return page("webview_return", read_language(event))
    return Response(
        status_code=303,
        headers={"Location": address, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"},
    )


def _missed(error: AppError) -> None:
    count(Metric.FAILED_REQUESTS)
    logger.warning("the return of a visit was not noted", extra={"code": error.code, "kind": type(error).__name__})


HISTORY_PAGE = 50


@app.get("/v1/history", responses=answers(HistoryView))
def list_history(connection_id: Text = None, cursor: Text = None) -> Response[Any]:
    user_id = read_request(app.current_event).user_id
    entries, following = container().store.history(
        user_id, connection_id=connection_id, cursor=cursor, limit=HISTORY_PAGE
    )
    history = HistoryView(entries=tuple(history_entry_view(entry) for entry in entries), next=following)
    return json_reply(history.model_dump_json())


@app.get("/v1/me/export", responses=answers(ExportView))
def export_me(cursor: Annotated[str | None, Query(max_length=2000)] = None) -> Response[Any]:
    user_id = read_request(app.current_event).user_id
    items, following = container().store.export(user_id, cursor=cursor)
    exported = export_view(user_id, items, following, container().clock())
    headers = {"Content-Disposition": 'attachment; filename="synced-accounts.json"'}
    return json_reply(exported.model_dump_json(), headers=headers)


@app.delete("/v1/me", responses=answers(OperationView, 202))
def erase_me(
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001
) -> Response[Any]:
    request = read_request(app.current_event)

    def render(erasure: Erasure) -> tuple[int, str]:
        return 202, erasure_view(erasure).model_dump_json()

    attempt = partial(container().begin_erasure.run, request)
    status, body = answered_once(container().store, request, attempt, render)
    location = f"/v1/operations/{shown_id(body)}"
    return json_reply(body, status, {"Location": location, "Retry-After": ERASURE_RETRY_AFTER})


@cache
def openapi_json() -> str:
    """The OpenAPI 3.1 document, made from the routes of all resources and their models."""
    return documented(app.get_openapi_json_schema(title="synced-accounts", version="1", description=__doc__ or ""))


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    if event.get("rawPath") != "/health":
        container().remaining_seconds = lambda: context.get_remaining_time_in_millis() / 1000
    return app.resolve(json_only(event), context)
