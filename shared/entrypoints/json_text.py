"""JSON that somebody else has written, read strictly."""

import json
from typing import Any

from shared.domain.errors import BodyTooLarge

LARGEST_BODY_BYTES = 256 * 1024
"""Of a request: several times the largest selection that can be asked for."""


def read_json(text: str) -> Any:
    """The value of a JSON text.

    Raises BodyTooLarge before it is parsed; JSONDecodeError, also for what Python cannot parse for its depth or the
    length of a number, and for half of a surrogate pair: that is no text, and nothing behind us could store or send it.
    """
    refuse_large(text)
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False).encode()
        return value
    except json.JSONDecodeError:
        raise
    except UnicodeEncodeError:
        raise json.JSONDecodeError("half of a character", "", 0) from None
    except (RecursionError, ValueError):
        raise json.JSONDecodeError("nested too deeply, or a number too long", "", 0) from None


def refuse_large(body: str) -> None:
    """Raises BodyTooLarge."""
    if len(body) > LARGEST_BODY_BYTES or len(body.encode(errors="replace")) > LARGEST_BODY_BYTES:
        raise BodyTooLarge
