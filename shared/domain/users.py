"""Who a user is to us: the `sub` of the token, as the issuer wrote it."""

from typing import TypeIs

LONGEST_USER_ID = 255
"""In characters (OpenID Connect Core 1.0, section 2)."""


def is_user_id(subject: object) -> TypeIs[str]:
    """Whether a token's `sub` names somebody: visible text that every store, queue and log takes."""
    return (
        isinstance(subject, str)
        and 0 < len(subject) <= LONGEST_USER_ID
        and subject.isprintable()
        and not subject.isspace()
    )
