"""From a table of methods and paths to routes, for the REST API and for the switches."""

from collections.abc import Awaitable, Callable, Iterable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from powens_sandbox.errors import ApiError
from powens_sandbox.params import Call, read_params

# Gives a Response, or what becomes JSON of status 200, at once or later.
type Handler = Callable[[Call], object]
# Methods, separated by blanks; path; handler.
type Row = tuple[str, str, Handler]

# All of them, so that a method which a path does not have is refused in the envelope of every other refusal.
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def answer(body: object, status: int = 200) -> Response:
    return JSONResponse(body, status)


def no_content() -> Response:
    return Response(status_code=204)


def routes(rows: Iterable[Row], check: Callable[[Request], None] | None = None) -> list[Route]:
    """One route a path. `check` looks at a request before its parameters are read, and raises ApiError."""
    by_path: dict[str, dict[str, Handler]] = {}
    for methods, path, handler in rows:
        by_path.setdefault(path, {}).update(dict.fromkeys(methods.split(), handler))
    return [Route(path, _endpoint(handlers, check), methods=list(_METHODS)) for path, handlers in by_path.items()]


def _endpoint(
    handlers: dict[str, Handler], check: Callable[[Request], None] | None
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        handler = handlers.get("GET" if request.method == "HEAD" else request.method)
        if handler is None:
            raise ApiError(405, "methodNotAllowed", "This method is not allowed here")
        if check is not None:
            check(request)
        result = handler(Call(request, await read_params(request)))
        if isinstance(result, Awaitable):
            result = await result
        return result if isinstance(result, Response) else answer(result)

    return endpoint
