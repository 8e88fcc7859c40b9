"""All routes of the API, each in the file of its resource."""

import sys
from functools import cache
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from functions.accounts_api import accounts, connections, institutions, me, operations, webview, wishes
from functions.accounts_api.audit import admitted_and_audited
from functions.accounts_api.reply import answers, json_reply
from shared.contracts.api.bodies import Health
from shared.entrypoints.headers import JSON
from shared.entrypoints.http import HttpErrors, declared_parameters_only
from shared.entrypoints.json_text import read_json

# Not what an environment variable says: debugging, the resolver prints events, tokens included.
app = APIGatewayHttpResolver(enable_validation=True, json_body_deserializer=read_json, debug=False)
app.use([admitted_and_audited, declared_parameters_only])
HttpErrors(app)


@app.get("/health", responses=answers(Health))
def check_health() -> Response[Any]:
    """Say that the API runs.

    It looks at nothing else: neither the table nor Powens.
    """
    return json_reply(Health().model_dump_json())


@app.get(
    "/v1/openapi.json",
    responses={200: {"description": "The document.", "content": {JSON: {"schema": {"type": "object"}}}}},
)
def get_openapi() -> Response[Any]:
    """Describe the API.

    As an OpenAPI 3.1 document: this one.
    """
    return json_reply(openapi_json(), headers={"Cache-Control": "public, max-age=3600"})


_RESOURCES = (connections, institutions, accounts, wishes, operations, webview, me)
for _resource in _RESOURCES:
    app.include_router(_resource.router)


@cache
def openapi_json() -> str:
    """The OpenAPI 3.1 document, made from the routes of all resources and their models."""
    from functions.accounts_api.openapi.document import rendered  # noqa: PLC0415 - only who asks for it pays for it

    modules = {resource.__name__.rpartition(".")[2]: resource for resource in _RESOURCES}
    return rendered(app, modules | {"service": sys.modules[__name__]})
