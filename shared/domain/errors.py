"""Every error that leaves a use case, as one tree. The class says who must act.

AppError
├── Rejected       the caller must change the request; repeating it as it is cannot help
│   ├── InvalidInput, BodyTooLarge, NotFound, Conflict (TooManyAccounts, UserBeingErased), PreconditionFailed
│   ├── BadSignature, BadToken, Unauthenticated (NotSignedInLately), NoScope
│   └── PowensRefused (PowensNotFound, PowensForbidden, PowensUserGone)
├── Unavailable    nobody: the same request or message may work later
│   ├── PowensUnavailable (PowensThrottled, AnswerLost), ConnectionLocked, CatalogueRefused
│   ├── PowensBusy, ReadRecently, NotYetVisible, ErasureUnfinished
│   ├── StoreUnavailable, PublishFailed
│   └── NewerVersion
└── Misconfigured  our operators: a secret, a permission or a setting is wrong

Any other exception that leaves a use case is a bug of ours. Some exceptions are signals between two neighbours, are
always caught there and lie beside them: a write that lost a race or that was made before (`application.ports`), a
token that Powens refuses and an answer that cannot be read (`adapters.powens`), a webhook that names nobody
(`shared.webhooks`, which loads next to nothing).

`code` is stable, public and language-free. `str(error)` may be logged, so it never has a secret, an IBAN, a request
body or a text that Powens or a bank wrote.
"""

from collections.abc import Sequence


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
    """The request is well-formed but breaks a rule; `field` names the part at fault, `faults` all with their codes."""

    code = "invalid_request"

    def __init__(
        self,
        detail: str = "",
        *,
        code: str | None = None,
        field: str | None = None,
        faults: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(detail, code=code)
        self.field = field
        self.faults = tuple(faults) or (((field, self.code),) if field is not None else ())


class BodyTooLarge(Rejected):
    """A request body that is larger than any that we ask for."""

    code = "body_too_large"


class NotFound(Rejected):
    """The user has nothing of this id; also the answer when another user has it."""

    code = "not_found"


class Conflict(Rejected):
    """The state of what the request is about does not allow it."""

    code = "conflict"


class TooManyAccounts(Conflict):
    """The connection has more accounts than fit its item (ADR 0004)."""

    code = "too_many_accounts"


class UserBeingErased(Conflict):
    """The user is being erased, or has another Powens user now: an earlier decision must not be written."""

    code = "user_being_erased"


class PreconditionFailed(Rejected):
    """`If-Match` names a revision that is no longer the current one."""

    code = "revision_mismatch"


class BadSignature(Rejected):
    """A webhook that Powens did not sign, or signed too long ago."""

    code = "bad_signature"


class BadToken(Rejected):
    """A bearer token of another issuer, for another audience, or not valid now."""

    code = "bad_token"


class Unauthenticated(Rejected):
    """A token that is valid and names nobody."""

    code = "unauthenticated"


class NotSignedInLately(Unauthenticated):
    """The token does not say that its user has signed in a short while ago."""

    code = "recent_sign_in_required"


class NoScope(Rejected):
    """A user's token that was not given what the request needs."""

    code = "insufficient_scope"


class PowensRefused(Rejected):
    """Powens refused, and waiting does not help.

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
    """403, with a new token of the user too: an operator must ask Powens why this is not allowed."""

    code = "forbidden_by_powens"


class PowensUserGone(PowensRefused):
    """Powens refuses the user's token and, when asked for a new one, does not know the user."""

    code = "powens_user_gone"


class Unavailable(AppError):
    """Temporary. `retry_after` is in seconds, None when unknown."""

    code = "temporarily_unavailable"

    def __init__(self, detail: str = "", *, code: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(detail, code=code)
        self.retry_after = retry_after


class PowensUnavailable(Unavailable):
    """Powens is down, slow, throttling, or answered with something that is not its API's JSON."""

    code = "powens_unavailable"


class PowensThrottled(PowensUnavailable):
    """429: too many requests of ours."""


class AnswerLost(PowensUnavailable):
    """The request was sent and no answer came: Powens may have carried it out, or may still do so."""


class ConnectionLocked(Unavailable):
    """Powens is synchronising the connection, which is read-only meanwhile (`connectionLocked`)."""

    code = "connection_locked"


class CatalogueRefused(Unavailable):
    """Powens' answer cannot be its catalogue; the last good copy stays."""

    code = "catalogue_refused"


class PowensBusy(Unavailable):
    """Our own limit: Powens must not be asked before `retry_after` (ADR 0021)."""

    code = "powens_busy"


class ReadRecently(Unavailable):
    """The connection was read a moment ago. After `retry_after` one read covers the hints that come until then."""

    code = "read_recently"


class NotYetVisible(Unavailable):
    """Powens acknowledged an order and does not show its effect yet: read again later, order nothing."""

    code = "not_yet_visible"


class ErasureUnfinished(Unavailable):
    """The erasure needs another run: the same command must come back."""

    code = "erasure_goes_on"


class StoreUnavailable(Unavailable):
    """DynamoDB throttles, or other writers were faster each time."""

    code = "store_unavailable"


class PublishFailed(Unavailable):
    """The bus or a queue refused some entries at each attempt; the others are sent."""

    code = "publish_failed"


class NewerVersion(Unavailable):
    """A message, an item or an operation that only a newer release understands: it must wait for one (ADR 0044)."""


class Misconfigured(AppError):
    """A secret, permission or setting is missing or wrong: an operator must act."""

    code = "misconfigured"
