"""What goes over HTTP: requests read strictly, errors as problem+json, a page for a person without an app."""

from base64 import b64decode
from collections import Counter
from html import escape
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.api_gateway import Route
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from shared.contracts.api.bodies import FieldError, Problem
from shared.contracts.texts import Language, language_of, problem_text, text
from shared.domain.errors import (
    AppError,
    BadSignature,
    BodyTooLarge,
    Conflict,
    InvalidInput,
    NewerVersion,
    NoScope,
    NotFound,
    PowensRefused,
    PowensThrottled,
    PreconditionFailed,
    Unauthenticated,
    Unavailable,
)
from shared.entrypoints.field_errors import LONGEST_FIELD, field_errors, named_errors
from shared.entrypoints.headers import READING_METHODS
from shared.entrypoints.metrics import Metric
from shared.entrypoints.observability import count, logger

PROBLEM_JSON = "application/problem+json"

_OUR_FAULT = 500

_STATUS: tuple[tuple[type[AppError], int], ...] = (
    (BadSignature, 401),
    (Unauthenticated, 401),
    (NoScope, 403),
    (NotFound, 404),
    (Conflict, 409),
    (PreconditionFailed, 412),
    (BodyTooLarge, 413),
    (InvalidInput, 422),
    (PowensRefused, 502),
    (Unavailable, 503),
    (AppError, _OUR_FAULT),
)


def declared_parameters_only(app: APIGatewayHttpResolver, following: NextMiddleware) -> Response[Any]:
    """A middleware: a mutation has no query parameter that its route does not declare, and none twice.

    A misspelt `dry_run` would be carried out for real. Raises InvalidInput, which names all of them.
    """
    route: Route = app.context["_route"]
    # What the resolver takes for the route of an unknown path declares no answers.
    if app.current_event.http_method not in READING_METHODS and route.responses is not None:
        known = {parameter.alias for parameter in route.dependant.query_params}
        query = parse_qsl(app.current_event.raw_event.get("rawQueryString", ""), keep_blank_values=True)
        times = Counter(name for name, _ in query)
        faults = [
            (name, "repeated_parameter" if name in known else "unknown_parameter")
            for name in times
            if name not in known or times[name] > 1
        ]
        if faults:
            field, code = faults[0]
            raise InvalidInput("parameters", code=code, field=field[:LONGEST_FIELD], faults=faults)
    return following(app)


def json_only(event: dict[str, Any]) -> dict[str, Any]:
    """The event with its body as text that is going to be read as JSON, whatever type the sender claims.

    The HTTP API hands over in base64 what it takes for binary, and the resolver would read forms too.
    """
    body: str = event.get("body") or ""
    if event.get("isBase64Encoded"):
        body = b64decode(body).decode(errors="replace")
    headers = {**event.get("headers", {}), "content-type": "application/json"}
    return {**event, "headers": headers, "body": body, "isBase64Encoded": False}


class HttpErrors:
    """Registers on a resolver how each class of error is answered: one table, looked up along the class's bases."""

    def __init__(self, app: APIGatewayHttpResolver) -> None:
        self._app = app
        app.exception_handler([AppError])(self._expected)
        app.exception_handler([RequestValidationError])(self._unreadable)
        app.exception_handler([Exception])(self._bug)
        app.not_found(self._no_route)

    def _expected(self, error: AppError) -> Response[str]:
        status = next(status for kind, status in _STATUS if isinstance(error, kind))
        if status >= 500:
            count(Metric.FAILED_REQUESTS)
            logger.warning("request failed", extra={"code": error.code, "kind": type(error).__name__})
            if isinstance(error, PowensThrottled):
                count(Metric.POWENS_THROTTLED)
            if isinstance(error, NewerVersion):
                count(Metric.NEWER_VERSIONS)
            if status == _OUR_FAULT:
                count(Metric.UNEXPECTED_ERRORS)
        else:
            logger.info("request refused", extra={"code": error.code})
        headers = {}
        if isinstance(error, Unavailable):
            headers["Retry-After"] = str(max(1, round(error.retry_after or 1)))
        code = error.code if status < 500 or isinstance(error, Unavailable | PowensRefused) else "internal_error"
        if isinstance(error, InvalidInput):
            errors = named_errors(error.faults, self._language())
            return self.problem(status, code, field=error.field, errors=errors)
        return self.problem(status, code, headers=headers)

    def _unreadable(self, error: RequestValidationError) -> Response[str]:
        faults = error.errors()
        if any(str(fault.get("type", "")).startswith("json") for fault in faults):
            return self.problem(400, "invalid_json")
        errors = field_errors(faults, self._language())
        return self.problem(422, "invalid_request", field=errors[0].field if errors else None, errors=errors)

    def _bug(self, error: Exception) -> Response[str]:
        count(Metric.FAILED_REQUESTS)
        count(Metric.UNEXPECTED_ERRORS)
        logger.exception("unexpected error", exc_info=error)
        return self.problem(_OUR_FAULT, "internal_error")

    def _no_route(self, _: Exception) -> Response[str]:
        return self.problem(404, "route_not_found")

    def _language(self) -> Language:
        return language_of(self._app.current_event.headers.get("accept-language"))

    def problem(
        self,
        status: int,
        code: str,
        *,
        field: str | None = None,
        errors: tuple[FieldError, ...] = (),
        headers: dict[str, str] | None = None,
    ) -> Response[str]:
        body = Problem(
            title=HTTPStatus(status).phrase,
            status=status,
            detail=problem_text(code, self._language(), status=status),
            code=code,
            request_id=self._app.current_event.request_context.request_id,
            field=field,
            errors=errors or None,
        )
        return Response(
            status_code=status,
            content_type=PROBLEM_JSON,
            body=body.model_dump_json(exclude_none=True),
            headers=dict(headers or {}),
        )


_PAGE = """<!doctype html>
<html lang="{language}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<p>{text}</p>
</html>
"""


def page(code: str, language: Language) -> Response[str]:
    """A page that only says the text `page.<code>`, for a person whom no app awaits."""
    said = text(f"page.{code}", language)
    return Response(
        status_code=200,
        content_type="text/html; charset=utf-8",
        body=_PAGE.format(language=language, title=escape(text(f"page.{code}.title", language)), text=escape(said)),
        headers={"Content-Security-Policy": "default-src 'none'", "Referrer-Policy": "no-referrer"},
    )
