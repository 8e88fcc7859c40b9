"""Refusals, in the one envelope that every answer of the API uses for them."""


class ApiError(Exception):
    """A refusal that the caller sees: HTTP status, Powens' `code`, a technical text, and a text for people or None."""

    def __init__(
        self, status: int, code: str, description: str, *, message: str | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(f"{status} {code}: {description}")
        self.status = status
        self.code = code
        self.description = description
        self.message = message
        self.retry_after = retry_after


def not_found(what: str = "resource") -> ApiError:
    return ApiError(404, "notFound", f"No such {what}")


def missing(name: str) -> ApiError:
    return ApiError(400, "missingParameter", f"The parameter {name} is missing")


def invalid(name: str, why: str = "is not valid") -> ApiError:
    return ApiError(400, "invalidValue", f"The value of {name} {why}")
