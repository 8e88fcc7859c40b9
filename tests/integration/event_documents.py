"""What is made from the schemas of the events: `docs/asyncapi.json`, and `events/registry.yaml` for EventBridge.

`python -m tests.integration.event_schemas` writes both; a test holds the files to what is made here.
"""

import json
from pathlib import Path
from typing import Any

from shared.contracts.events import SOURCE
from shared.domain.facts import FactType
from tests.integration.event_schemas import schema_of
from tests.worlds.deployment import resources

type Json = dict[str, Any]

ROOT = Path(__file__).parents[2]
ASYNCAPI = ROOT / "docs" / "asyncapi.json"
REGISTRY = ROOT / "events" / "registry.yaml"

_ABOUT = """\
Two ways to hear that something of a user changed. The bus is for services in the same AWS account: events with what
changed, at least once and in any order. The WebSocket is for a user's own open screens: that something changed, and
not what. docs/events.md says how to fold the events, and what may be added to them.
"""
_CHANGED = {
    "type": "object",
    "description": "Something of the user changed: ask the API, with the ETag that is at hand.",
    "required": ["type", "event", "connection_id", "revision"],
    "properties": {
        "type": {"const": "changed"},
        "event": {"type": "string", "description": "The detail type of the event on the bus."},
        "connection_id": {"type": ["string", "null"], "description": "Null where no connection is named."},
        "revision": {"type": "integer", "minimum": 0, "description": "Of the event."},
    },
}
_ENVELOPE = {
    "version": "string",
    "id": "string",
    "detail-type": "string",
    "source": "string",
    "account": "string",
    "time": "string",
    "region": "string",
}
"""What EventBridge adds around the detail, beside `resources`, which is empty."""


# --- AsyncAPI


def asyncapi() -> Json:
    """An AsyncAPI 3.0 document. The details' schemas stay in `events/schemas`, which it refers to."""
    messages = {kind.value: _message(kind) for kind in FactType}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "synced-accounts",
            "version": "1",
            "description": _ABOUT,
            "license": {"name": "MIT"},
            "contact": {"name": "Whoever operates this deployment; quote the `correlation_id`"},
            "tags": [{"name": "accounts", "description": "Of a user, at banks and other institutions."}],
        },
        "defaultContentType": "application/json",
        "servers": _servers(),
        "channels": {
            "bus": {
                "address": "synced-accounts-{stage}",
                "description": "An EventBridge bus. SSM has its name under /synced-accounts/{stage}/event-bus-name.",
                "servers": [{"$ref": "#/servers/eventbridge"}],
                "parameters": {"stage": {"enum": ["dev", "staging", "prod"]}},
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
            },
            "screen": {
                "address": "/live",
                "description": "One WebSocket for each open screen. What a screen sends is not read.",
                "servers": [{"$ref": "#/servers/websocket"}],
                "messages": {"changed": {"$ref": "#/components/messages/changed"}},
                "bindings": {"ws": {"method": "GET", "headers": _handshake(), "bindingVersion": "0.1.0"}},
            },
        },
        "operations": {
            "publish": {
                "action": "send",
                "channel": {"$ref": "#/channels/bus"},
                "summary": "Say what changed.",
                "description": "Each event at least once, in any order, from the outbox of what was stored.",
            },
            "tell": {
                "action": "send",
                "channel": {"$ref": "#/channels/screen"},
                "summary": "Say that something changed.",
                "description": "To the open screens of the user, at most once for each event and screen.",
            },
        },
        "components": {"messages": messages | {"changed": _changed()}},
    }


def _servers() -> Json:
    region = {"region": {"default": "eu-west-3", "description": "The AWS region of the deployment."}}
    return {
        "eventbridge": {"host": "events.{region}.amazonaws.com", "protocol": "https", "variables": region},
        "websocket": {
            "host": "{api}.execute-api.{region}.amazonaws.com",
            "protocol": "wss",
            "description": "The output LiveUrl of the stack. API Gateway closes a socket after two hours.",
            "variables": region | {"api": {"default": "api", "description": "The id of the WebSocket API."}},
        },
    }


def _handshake() -> Json:
    said = "`synced-accounts, bearer.<token>`: the token of the API, as browsers can send no other header here."
    return {"type": "object", "properties": {"Sec-WebSocket-Protocol": {"type": "string", "description": said}}}


def _message(kind: FactType) -> Json:
    example = json.loads((ROOT / "events" / "examples" / f"{kind.value}.json").read_text("utf-8"))
    return {
        "name": kind.value,
        "summary": schema_of(kind)["description"],
        "payload": {
            "type": "object",
            "required": [*_ENVELOPE, "detail"],
            "properties": {name: {"type": form} for name, form in _ENVELOPE.items()}
            | {
                "source": {"const": SOURCE},
                "detail-type": {"const": kind.value},
                "time": {"type": "string", "format": "date-time"},
                "resources": {"type": "array", "items": {"type": "string"}},
                "detail": {"$ref": f"../events/schemas/{kind.value}.json"},
            },
        },
        "examples": [{"name": kind.value, "payload": example}],
    }


def _changed() -> Json:
    told = resources()["LiveUpdatesFunction"]["Properties"]["Events"]["Changes"]["Properties"]["Pattern"]["detail-type"]
    example = {
        "type": "changed",
        "event": told[0],
        "connection_id": "464aa233-27d7-5bab-8b7a-da3bfc806855",
        "revision": 12,
    }
    return {
        "name": "changed",
        "summary": f"Something changed; sent after {', '.join(told)}.",
        "payload": _CHANGED,
        "examples": [{"name": "changed", "payload": example}],
    }


# --- EventBridge's schema registry


def registry() -> str:
    """A CloudFormation template, on its own: what it makes is for listeners' editors, and nothing of ours needs it."""
    head = """\
# Made by: python -m tests.integration.event_schemas
AWSTemplateFormatVersion: "2010-09-09"
Description: The schemas of the events of synced-accounts, in a registry of EventBridge. It costs nothing.

Parameters:
  Stage:
    Type: String
    AllowedValues: [dev, staging, prod]

Resources:
  Registry:
    Type: AWS::EventSchemas::Registry
    Properties:
      RegistryName: !Sub synced-accounts-${Stage}
      Description: What is published on the bus of the same name.
"""
    return head + "".join(_registered(kind) for kind in FactType)


def _registered(kind: FactType) -> str:
    return f"""
  {kind.value}:
    Type: AWS::EventSchemas::Schema
    Properties:
      RegistryName: !GetAtt Registry.RegistryName
      SchemaName: {SOURCE}@{kind.value}
      Type: OpenApi3
      Description: {json.dumps(schema_of(kind)["description"])}
      Content: >-
        {json.dumps(openapi_of(kind))}
"""


def openapi_of(kind: FactType) -> Json:
    """The whole event in the form that EventBridge gives to schemas that it discovers: OpenAPI 3.0."""
    schema = schema_of(kind)
    definitions: Json = {name: _of_openapi_3_0(part) for name, part in schema.pop("$defs").items()}
    detail = _of_openapi_3_0({name: schema[name] for name in ("type", "properties", "required")})
    envelope = {name: {"type": form} for name, form in _ENVELOPE.items()}
    event = {
        "type": "object",
        "required": [*_ENVELOPE, "resources", "detail"],
        "x-amazon-events-detail-type": kind.value,
        "x-amazon-events-source": SOURCE,
        "properties": envelope
        | {
            "time": {"type": "string", "format": "date-time"},
            "resources": {"type": "array", "items": {"type": "string"}},
            "detail": {"$ref": f"#/components/schemas/{kind.value}"},
        },
    }
    return {
        "openapi": "3.0.0",
        "info": {"version": "1.0.0", "title": kind.value},
        "paths": {},
        "components": {"schemas": {"AWSEvent": event, kind.value: detail} | definitions},
    }


def _of_openapi_3_0(schema: Any) -> Any:
    """OpenAPI 3.0 knows neither `const`, nor null as a type, nor conditions. Members may come: nothing is closed."""
    if isinstance(schema, list):
        return [_of_openapi_3_0(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {name: part for name, part in schema.items() if name not in {"if", "else", "additionalProperties"}}
    if "anyOf" in schema:
        (schema,) = [part | {"nullable": True} for part in schema["anyOf"] if part != {"type": "null"}]
    if "const" in schema:
        schema["enum"] = [schema.pop("const")]
    if "$ref" in schema:
        return {"$ref": schema["$ref"].replace("#/$defs/", "#/components/schemas/")}
    return {name: _of_openapi_3_0(part) for name, part in schema.items()}


def write() -> None:
    ASYNCAPI.write_text(json.dumps(asyncapi(), indent=2) + "\n", "utf-8")
    REGISTRY.write_text(registry(), "utf-8")
