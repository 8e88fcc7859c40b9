"""What others would take instead, as they would write it: the same list from the same table, and nothing else.

None of them knows languages, freshness, copies, wishes or who must act: they are lower bounds of what a service like
ours would take on them.
"""

from typing import NamedTuple

_SHOWN = """
import json

import boto3
from pydantic import BaseModel


class Account(BaseModel):
    id: str
    name: str
    enabled: bool


class Connection(BaseModel):
    id: str
    accounts: list[Account]


class ConnectionList(BaseModel):
    connections: list[Connection]


client = boto3.client("dynamodb")


def listed(user: str) -> ConnectionList:
    found = client.query(
        TableName="bench",
        KeyConditionExpression="pk = :user AND begins_with(sk, :list)",
        ExpressionAttributeValues={":user": {"S": f"USER#{user}"}, ":list": {"S": "LIST#"}},
        ConsistentRead=True,
    )
    return ConnectionList(connections=[json.loads(item["document"]["S"]) for item in found["Items"]])
"""

_POWERTOOLS = """
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

logger = Logger()
metrics = Metrics()
app = APIGatewayHttpResolver(enable_validation=True)


@app.get("/v1/connections")
def list_connections() -> ConnectionList:
    return listed(app.current_event.request_context.authorizer.jwt_claim["sub"])


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event, context):
    return app.resolve(event, context)
"""

_FASTAPI = """
from fastapi import FastAPI, Request
from mangum import Mangum

app = FastAPI()


@app.get("/v1/connections")
def list_connections(request: Request) -> ConnectionList:
    authorizer = request.scope["aws.event"]["requestContext"]["authorizer"]
    return listed(authorizer["jwt"]["claims"]["sub"])


handler = Mangum(app, lifespan="off")
"""


class Peer(NamedTuple):
    """`own_packages`: whether it runs on `.venvs/peers` and not on the layer of ours, which has powertools."""

    name: str
    code: str
    own_packages: bool = False


PEERS = (
    Peer("powertools", _SHOWN + _POWERTOOLS),
    Peer("FastAPI, Mangum", _SHOWN + _FASTAPI, own_packages=True),
)
