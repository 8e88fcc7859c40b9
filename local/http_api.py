"""What API Gateway's HTTP API does between network and function: routes, payload format 2.0, CORS.

Everything here is a pure function of the request, so that each rule is tested by itself; `front.py` is the server.
"""

import base64
import binascii
import datetime as dt
import json
import re
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

from local.jwt_authorizer import Forbidden, Unauthorized, authorize
from local.template import Api, Cors, Route

REQUEST_LIMIT = 10 * 1024 * 1024  # bytes of an HTTP API's request body
_CORS_HEADERS = "access-control-"


@dataclass(frozen=True)
class Request:
    """`headers` in the order received, names in lower case. `path` and `query` as sent, still percent-encoded."""

    method: str
    path: str
    query: str = ""
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    source_ip: str = "127.0.0.1"

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key == name]
        return ",".join(values) if values else None


@dataclass(frozen=True)
class Response:
    status: int
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""


@dataclass(frozen=True)
class Match:
    route: Route
    parameters: Mapping[str, str] = field(default_factory=dict)


# --- routes -------------------------------------------------------------------------------------------------------


def match(routes: Iterable[Route], method: str, path: str) -> Match | None:
    """The most specific route: literal segments, then parameters, `{proxy+}`, $default; a method before ANY."""
    best: tuple[tuple[int, ...], Match] | None = None
    for route in routes:
        if route.method not in {method, "ANY"} and route.path != "$default":
            continue
        found = _match_path(route.path, path)
        if found is None:
            continue
        rank, parameters = found
        candidate = ((*rank, 0 if route.method == method else 1), Match(route, parameters))
        if best is None or candidate[0] < best[0]:
            best = candidate
    return best[1] if best else None


def _match_path(pattern: str, path: str) -> tuple[tuple[int, ...], dict[str, str]] | None:
    if pattern == "$default":
        return (4,), {}
    wanted, given = pattern.strip("/").split("/"), path.strip("/").split("/")
    parameters: dict[str, str] = {}
    rank: list[int] = []
    for position, segment in enumerate(wanted):
        if segment.startswith("{") and segment.endswith("+}"):
            rest = "/".join(given[position:])
            if not rest:
                return None
            parameters[segment[1:-2]] = unquote(rest)
            return (*rank, 3), parameters
        if position >= len(given):
            return None
        if segment.startswith("{"):
            if not given[position]:
                return None
            parameters[segment[1:-1]] = unquote(given[position])
            rank.append(2)
        elif segment == unquote(given[position]):
            rank.append(1)
        else:
            return None
    return (tuple(rank), parameters) if len(wanted) == len(given) else None


# --- payload format 2.0 -------------------------------------------------------------------------------------------


def _claim_text(value: Any) -> str:
    """Claims reach the function as strings only; a list becomes `[a b]`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{' '.join(_claim_text(item) for item in value)}]"
    if isinstance(value, dict):
        return json.dumps(value, separators=(",", ":"))
    return str(value)


def event(
    request: Request,
    found: Match,
    claims: Mapping[str, Any] | None,
    *,
    domain: str,
    now: dt.datetime,
    api_id: str = "local",
) -> dict[str, Any]:
    """The event the function gets. `domain` is the host name asked for."""
    headers = _headers(request, now)
    built: dict[str, Any] = {
        "version": "2.0",
        "routeKey": found.route.key,
        "rawPath": unquote(request.path),
        "rawQueryString": request.query,
    }
    if cookies := _cookies(request):
        built["cookies"] = cookies
    built["headers"] = headers
    if request.query:
        built["queryStringParameters"] = _joined(parse_qsl(request.query, keep_blank_values=True))
    context: dict[str, Any] = {"accountId": "000000000000", "apiId": api_id}
    if claims is not None:
        context["authorizer"] = {"jwt": _jwt(claims, found.route)}
    built["requestContext"] = context | {
        "domainName": domain,
        "domainPrefix": domain.partition(".")[0],
        "http": {
            "method": request.method,
            "path": unquote(request.path),
            "protocol": "HTTP/1.1",
            "sourceIp": request.source_ip,
            "userAgent": headers.get("user-agent", ""),
        },
        "requestId": base64.b64encode(uuid.uuid4().bytes[:11]).decode(),
        "routeKey": found.route.key,
        "stage": "$default",
        "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "timeEpoch": int(now.timestamp() * 1000),
    }
    if found.parameters:
        built["pathParameters"] = dict(found.parameters)
    text = _as_text(request)
    if request.body:
        built["body"] = text if text is not None else base64.b64encode(request.body).decode()
    built["isBase64Encoded"] = bool(request.body) and text is None
    return built


def _headers(request: Request, now: dt.datetime) -> dict[str, str]:
    """All but cookies, and those that the gateway adds."""
    headers = _joined((name, value) for name, value in request.headers if name != "cookie")
    headers.setdefault("x-forwarded-for", request.source_ip)
    headers.setdefault("x-forwarded-proto", "http")
    headers.setdefault("x-amzn-trace-id", f"Root=1-{int(now.timestamp()):x}-{uuid.uuid4().hex[:24]}")
    return headers


def _cookies(request: Request) -> list[str]:
    parts = (part.strip() for name, value in request.headers if name == "cookie" for part in value.split(";"))
    return [cookie for cookie in parts if cookie]


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Values of one name become one text, with commas between them."""
    values: dict[str, str] = {}
    for name, value in pairs:
        values[name] = f"{values[name]},{value}" if name in values else value
    return values


def _jwt(claims: Mapping[str, Any], route: Route) -> dict[str, Any]:
    granted = str(claims.get("scope") or "").split() or None
    return {
        "claims": {name: _claim_text(value) for name, value in claims.items()},
        "scopes": granted if route.scopes else None,
    }


_TEXT = re.compile(r"^(text/.*|application/(.*\+)?(json|xml)|application/javascript)$")


def _as_text(request: Request) -> str | None:
    """The body as the text it is, or None for what API Gateway hands over in base64."""
    kind = (request.header("content-type") or "").partition(";")[0].strip().lower()
    if not _TEXT.match(kind) or (request.header("content-encoding") or "identity").lower() != "identity":
        return None
    try:
        return request.body.decode("utf-8")
    except UnicodeDecodeError:
        return None


def response(payload: Any) -> Response:
    """What the function returned, as HTTP. Raises ValueError for what API Gateway answers with its own 500."""
    if not isinstance(payload, dict) or "statusCode" not in payload:
        text = payload if isinstance(payload, str) else json.dumps(payload)
        return Response(200, (("content-type", "application/json"),), text.encode())
    try:
        status = int(payload["statusCode"])
    except (TypeError, ValueError) as error:
        raise ValueError("statusCode is no number") from error
    raw = payload.get("body")
    if raw is None:
        raw = ""
    if not isinstance(raw, str):
        raise ValueError("body is no text")  # noqa: TRY004 - one kind of error for a bad answer
    try:
        body = base64.b64decode(raw, validate=True) if payload.get("isBase64Encoded") else raw.encode()
    except binascii.Error as error:
        raise ValueError("body is not base64") from error
    headers: list[tuple[str, str]] = []
    for name, value in (payload.get("headers") or {}).items():
        text = ",".join(str(item) for item in value) if isinstance(value, list) else _claim_text(value)
        headers.append((str(name).lower(), text))
    headers += [("set-cookie", str(cookie)) for cookie in payload.get("cookies") or []]
    if body and not any(name == "content-type" for name, _ in headers):
        headers.append(("content-type", "text/plain;charset=utf-8"))
    return Response(status, headers, body)


# --- answers API Gateway gives by itself --------------------------------------------------------------------------


def problem(status: int, message: str, headers: Sequence[tuple[str, str]] = ()) -> Response:
    return Response(status, (("content-type", "application/json"), *headers), json.dumps({"message": message}).encode())


NOT_FOUND = problem(404, "Not Found")
TOO_LARGE = problem(413, "Request Entity Too Large")
FUNCTION_ERROR = problem(500, "Internal Server Error")
TIMED_OUT = problem(503, "Service Unavailable")
UNAUTHORIZED = problem(401, "Unauthorized", (("www-authenticate", "Bearer"),))
FORBIDDEN = problem(403, "Forbidden")


# --- CORS ---------------------------------------------------------------------------------------------------------


def is_preflight(request: Request) -> bool:
    return (
        request.method == "OPTIONS"
        and request.header("origin") is not None
        and request.header("access-control-request-method") is not None
    )


def preflight(request: Request, cors: Cors) -> Response:
    """204 always; the headers that let the browser go on only when origin and method are on the list."""
    origin = _allowed_origin(request, cors)
    method = (request.header("access-control-request-method") or "").upper()
    if origin is None or not ("*" in cors.methods or method in cors.methods):
        return Response(204)
    headers = [("access-control-allow-origin", origin), ("access-control-allow-methods", ",".join(cors.methods))]
    if cors.headers:
        headers.append(("access-control-allow-headers", ",".join(cors.headers)))
    if cors.max_age is not None:
        headers.append(("access-control-max-age", str(cors.max_age)))
    if cors.credentials:
        headers.append(("access-control-allow-credentials", "true"))
    return Response(204, headers)


def with_cors(request: Request, answer: Response, cors: Cors | None) -> Response:
    """With CORS configured the gateway's headers replace the function's own."""
    if cors is None:
        return answer
    headers = [(name, value) for name, value in answer.headers if not name.startswith(_CORS_HEADERS)]
    origin = _allowed_origin(request, cors)
    if origin is not None:
        headers.append(("access-control-allow-origin", origin))
        if cors.exposed:
            headers.append(("access-control-expose-headers", ",".join(cors.exposed)))
        if cors.credentials:
            headers.append(("access-control-allow-credentials", "true"))
        if origin != "*":
            headers.append(("vary", "Origin"))
    return Response(answer.status, headers, answer.body)


def _allowed_origin(request: Request, cors: Cors) -> str | None:
    origin = request.header("origin")
    if origin is None:
        return None
    if "*" in cors.origins:
        return "*"
    return origin if origin in cors.origins else None


# --- all together -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Call:
    """The function to invoke, by logical id, and its event."""

    function: str
    event: dict[str, Any]


def admit(
    api: Api, request: Request, key_set: Callable[[str], Mapping[str, Any]], *, domain: str, now: dt.datetime
) -> Call | Response:
    """What to invoke for this request, or the answer API Gateway gives without asking any function."""
    found = match(api.routes, request.method, request.path)
    # A route for ANY method also catches the browser's question, which has no token: an authorizer refuses it.
    if is_preflight(request) and api.cors is not None and (found is None or found.route.authorizer is None):
        return preflight(request, api.cors)
    if found is None:
        return with_cors(request, NOT_FOUND, api.cors)
    claims = None
    if found.route.authorizer is not None:
        authorizer = api.authorizers[found.route.authorizer]
        try:
            claims = authorize(request.header(authorizer.header), authorizer, found.route.scopes, key_set, now)
        except Unauthorized:
            return with_cors(request, UNAUTHORIZED, api.cors)
        except Forbidden:
            return with_cors(request, FORBIDDEN, api.cors)
    if len(request.body) > REQUEST_LIMIT:
        return with_cors(request, TOO_LARGE, api.cors)
    return Call(found.route.function, event(request, found, claims, domain=domain, now=now))
