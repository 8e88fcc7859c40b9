"""The HTTP API: queries, and the recording of what a user asks for. Trigger: HTTP API; the user is the token's `sub`.

A query is one DynamoDB Query. A mutation is answered once it is written down, together with the command that will carry
it out; nothing here waits for Powens but the opening of its Webview.
"""

from functools import cache
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.accounts_api import accounts, connections, institutions, me, operations, webview, wishes
from functions.accounts_api.container import container
from functions.accounts_api.reply import answers, json_reply
from functions.accounts_api.request import admitted_only
from shared.contracts.api import Health
from shared.entrypoints.http import (
    HttpErrors,
    declared_parameters_only,
    documented,
    json_only,
    read_json,
    secured,
)
from shared.entrypoints.observability import logger

app = APIGatewayHttpResolver(enable_validation=True, json_body_deserializer=read_json)
app.use([admitted_only, declared_parameters_only])
HttpErrors(app)


@app.get("/health", responses=answers(Health))
def health() -> Response[Any]:
    return json_reply(Health().model_dump_json())


@app.get("/v1/openapi.json", include_in_schema=False)
def openapi() -> Response[Any]:
    return json_reply(openapi_json())


for _resource in (connections, institutions, accounts, wishes, operations, webview, me):
    app.include_router(_resource.router)


@cache
def openapi_json() -> str:
    """The OpenAPI 3.1 document, made from the routes of all resources and their models."""
    return documented(app.get_openapi_json_schema(title="synced-accounts", version="1", description=__doc__ or ""))


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    if event.get("rawPath") != "/health":
        container().remaining_seconds = lambda: context.get_remaining_time_in_millis() / 1000
    return secured(app.resolve(json_only(event), context))
