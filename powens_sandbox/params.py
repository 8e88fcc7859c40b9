"""What a caller sent, wherever it put it: JSON, form, multipart or query string."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import cast
from urllib.parse import parse_qsl

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.types import Message, Receive

from powens_sandbox.errors import ApiError, invalid, missing, not_found

MAX_BODY = 1_000_000
_MAX_INT = 2**63 - 1


class Params(dict[str, object]):
    """Merged parameters; the body wins over the query string. Values from forms and queries are text."""

    def text(self, name: str) -> str:
        """Raises ApiError when it is missing or not text."""
        value = self.optional_text(name)
        if value is None:
            raise missing(name)
        return value

    def optional_text(self, name: str) -> str | None:
        value = self.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if not isinstance(value, str):
            raise invalid(name, "must be a string")
        return value

    def flag(self, name: str) -> bool:
        """A value-less flag: present means set, also as `?all=`."""
        value = self.get(name)
        return value is not None and value is not False and str(value).lower() not in {"false", "0"}

    def boolean(self, name: str, default: bool = False) -> bool:
        value = self.get(name)
        if value is None:
            return default
        if isinstance(value, bool):
            return value
        if str(value).lower() in {"true", "1"}:
            return True
        if str(value).lower() in {"false", "0"}:
            return False
        raise invalid(name, "must be a boolean")

    def integer(self, name: str) -> int | None:
        value = self.get(name)
        if value is None or value == "":
            return None
        return as_id(value, name)

    def values(self) -> dict[str, str]:  # type: ignore[override]
        """Everything that is text or a number, as text: what a login form would hold."""
        return {name: str(value) for name, value in self.items() if isinstance(value, str | int)}


def as_id(value: object, name: str = "id") -> int:
    """A whole number that fits 64 bits. Raises ApiError 400."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MAX_INT:
        raise invalid(name, "must be a whole number")
    return value


def as_decimal(value: object) -> Decimal | None:
    """A JSON number, or its text, as an exact amount. Raises ApiError 400."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise invalid("balance")
    try:
        amount = Decimal(str(value))
    except ArithmeticError as error:
        raise invalid("balance") from error
    if not amount.is_finite() or abs(amount) > Decimal(10) ** 15:
        raise invalid("balance")
    return amount


async def read_params(request: Request) -> Params:
    """Raises ApiError 400 for a body that is too large or that cannot be read as what it says it is."""
    params = Params(parse_qsl(str(request.url.query), keep_blank_values=True))
    if request.method in {"POST", "PUT", "PATCH", "DELETE"}:
        params.update(await _body(request))
    return Params({_clean(name): _cleaned(value) for name, value in params.items()})


async def _body(request: Request) -> Mapping[str, object]:
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    raw = await read_body(request)
    if not raw.strip():
        return {}
    if kind == "application/x-www-form-urlencoded" and not raw.lstrip().startswith(b"{"):
        return dict(parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True))
    if kind == "multipart/form-data":
        try:
            form = await Request(request.scope, replay(raw)).form(max_files=5, max_fields=100)
        except (MultiPartException, ValueError, KeyError, AssertionError) as error:
            raise invalid("body", "is not a readable form") from error
        except Exception as error:
            # Starlette turns its own parsing errors into HTTP exceptions of status 400.
            if getattr(error, "status_code", None) == 400:
                raise invalid("body", "is not a readable form") from error
            raise
        return {name: value for name, value in form.items() if not isinstance(value, UploadFile)}
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise invalid("body", "is not JSON") from error
    if not isinstance(value, dict):
        raise invalid("body", "must be an object")
    return value


async def read_body(request: Request) -> bytes:
    """The body, which can be read once. Raises ApiError 400 above the limit, without reading on."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY:
            raise ApiError(400, "invalidValue", "The body is too large")
        chunks.append(chunk)
    return b"".join(chunks)


def replay(body: bytes) -> Receive:
    """A `receive` that brings these bytes."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _clean(text: str) -> str:
    """Without lone surrogates, which JSON can carry and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode()


def _cleaned(value: object) -> object:
    return _clean(value) if isinstance(value, str) else value


def bearer(request: Request) -> str | None:
    """The token of `Authorization: Bearer …`; the scheme's case does not matter."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" and value.strip() else None


def basic(request: Request) -> tuple[str, str] | None:
    """Client id and secret of HTTP Basic. Old clients put one more colon behind the secret."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(value.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    user, separator, password = text.partition(":")
    return (user, password.removesuffix(":")) if separator else None


def parse_expand(value: object) -> tuple[frozenset[str], frozenset[str]]:
    """`a,b[c,d]` (or `b.c`): the names at the top, and the names inside."""
    top: set[str] = set()
    inner: set[str] = set()
    depth = 0
    word = ""
    for character in f"{value or ''},":
        if character in ",[].":
            name = word.strip()
            if name:
                (inner if depth else top).add(name)
            word = ""
            if character in "[.":
                depth += 1
            elif character == "]":
                depth = max(0, depth - 1)
            elif character == "," and "[" not in str(value or ""):
                depth = 0
        else:
            word += character
    return frozenset(top), frozenset(inner)


@dataclass
class Call:
    """One request with what it asks for."""

    request: Request
    params: Params

    def path(self, name: str) -> str:
        return cast(str, self.request.path_params[name])

    def path_id(self, name: str, what: str) -> int:
        """An id in the path; whatever is no id names nothing, which is 404."""
        try:
            return as_id(self.path(name), name)
        except ApiError as error:
            raise not_found(what) from error
