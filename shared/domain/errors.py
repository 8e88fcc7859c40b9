"""Every error of the service, as one tree. The class says who must act.

AppError
├── Rejected       the caller must change the request; repeating it as it is cannot help
│   ├── InvalidInput, BodyTooLarge, NotFound, Conflict, TooManyAccounts, UserBeingErased, PreconditionFailed
│   ├── BadSignature, BadToken, Unauthenticated
│   └── PowensRefused      Powens understood us and said no
├── Unavailable    nobody: the same request may work later
│   └── PowensUnavailable (PowensThrottled, AnswerLost), ConnectionLocked, StoreUnavailable
└── Misconfigured  our operators: a secret, a permission or a setting is wrong

Anything else that is raised is a bug of ours. `code` is stable, public and language-free; `str(error)` may reach a log
and therefore never holds a secret, an IBAN, a request body or a text that Powens or a bank wrote.
"""


class AppError(Exception):
    """Base of every error raised on purpose."""

    code = "internal_error"

    def __init__(self, detail: str = "", *, code: str | None = None) -> None:
        super().__init__(detail or code or self.code)
        self.code = code or self.code


class Rejected(AppError):
    """Permanent: the same request will be refused again."""

    code = "rejected"


class InvalidInput(Rejected):
    """The request is well-formed but breaks a rule; `field` names the part at fault."""

    code = "invalid_request"

    def __init__(self, detail: str = "", *, code: str | None = None, field: str | None = None) -> None:
        super().__init__(detail, code=code)
        self.field = field


class BodyTooLarge(Rejected):
    """A request body that is larger than any that we ask for."""

    code = "body_too_large"


class NotFound(Rejected):
    """No such thing for this user; also the answer for somebody else's thing."""

    code = "not_found"


class Conflict(Rejected):
    """The thing is in a state in which this cannot be done."""

    code = "conflict"


class TooManyAccounts(Conflict):
    """A connection larger than what is kept."""

    code = "too_many_accounts"


class UserBeingErased(Conflict):
    """The user is being erased, or has another Powens user by now: what was decided before must not be written."""

    code = "user_being_erased"


class PreconditionFailed(Rejected):
    """`If-Match` names a revision that is no longer the current one."""

    code = "revision_mismatch"


class BadSignature(Rejected):
    """A webhook that Powens did not sign, or signed too long ago."""

    code = "bad_signature"


class BadToken(Rejected):
    """A bearer token that is not our issuer's, not for us, or not valid now."""

    code = "bad_token"


class Unauthenticated(Rejected):
    """A token that is valid and names nobody."""

    code = "unauthenticated"


class PowensRefused(Rejected):
    """Powens answered with a refusal that waiting does not cure.

    `status` is the HTTP status, `powens_code` the envelope's `code` reduced to letters (never its texts).
    """

    code = "refused_by_powens"

    def __init__(
        self, detail: str = "", *, status: int, powens_code: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(detail, code=code)
        self.status = status
        self.powens_code = powens_code


class PowensNotFound(PowensRefused):
    """404: the resource is unknown for this token (Powens also answers 404 for another user's resources)."""

    code = "not_found_at_powens"


class PowensForbidden(PowensRefused):
    """403, and another token of the user does not help: we may not do this, and an operator has to ask Powens why."""

    code = "forbidden_by_powens"


class PowensUserGone(PowensRefused):
    """Powens refuses the user's token and, asked for another, does not know the user: two witnesses."""

    code = "powens_user_gone"


class Unavailable(AppError):
    """Temporary. `retry_after` is in seconds, None when nobody said how long."""

    code = "temporarily_unavailable"

    def __init__(self, detail: str = "", *, code: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(detail, code=code)
        self.retry_after = retry_after


class PowensUnavailable(Unavailable):
    """Powens is down, slow, throttling, or answered with something that is not its API's JSON."""

    code = "powens_unavailable"


class PowensThrottled(PowensUnavailable):
    """429: Powens is asked too much."""


class AnswerLost(PowensUnavailable):
    """The request left and its answer did not arrive: Powens may have done what it was asked, or may still be at it."""


class ConnectionLocked(Unavailable):
    """Powens is working on the connection, which is read-only meanwhile (`connectionLocked`)."""

    code = "connection_locked"


class StoreUnavailable(Unavailable):
    """DynamoDB throttles, or two writers met too often."""

    code = "store_unavailable"


class Misconfigured(AppError):
    """A secret, permission or setting is missing or wrong: an operator must act."""

    code = "misconfigured"
