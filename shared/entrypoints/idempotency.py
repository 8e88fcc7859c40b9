"""Answers that are given once per `Idempotency-Key`, however often the request arrives."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Concatenate

from shared.application.ports import Answer, TakenError
from shared.application.request import Idempotency, Request
from shared.application.writing import Draft, write_with_answer
from shared.domain.errors import InvalidInput, Rejected, Unavailable

if TYPE_CHECKING:
    from shared.application.ports import Answers

_KEY = re.compile(r"[\x21-\x7e]{1,128}")


@dataclass(frozen=True, slots=True)
class Answering:
    """`seal` and `unseal` protect an answer that must not lie in the table in the clear."""

    store: "Answers"
    seal: Callable[[str], str] = str
    unseal: Callable[[str], str] = str

    def once[T, **P](
        self,
        render: Callable[[T], tuple[int, str]],
        use_case: Callable[Concatenate[Request, P], Draft[T]],
        request: Request,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> tuple[int, str]:
        """The status and the JSON body of the answer to a mutation: its own, or that given before under the same key.

        Writes what `use_case(request, *args, **kwargs)` drafts and, in the same transaction, what `render` makes of its
        subject, so neither can exist without the other. Raises InvalidInput for a key that was used for something else.
        """
        attempt = partial(use_case, request, *args, **kwargs)
        idempotency = request.idempotency
        if idempotency is None:
            return write_with_answer(attempt, lambda subject: (render(subject), None))
        key, fingerprint = idempotency.key, idempotency.fingerprint
        if not _KEY.fullmatch(key):
            raise InvalidInput("bad key", code="invalid_idempotency_key", field="Idempotency-Key")

        def rendered(subject: T) -> tuple[tuple[int, str], Answer]:
            status, body = render(subject)
            return (status, body), Answer(key=key, fingerprint=fingerprint, status=status, body=self.seal(body))

        known = _given(self.store, request.user_id, idempotency)
        for _ in range(2):
            if known is not None:
                return known.status, self.unseal(known.body)
            try:
                return write_with_answer(attempt, rendered)
            except TakenError:
                known = _given(self.store, request.user_id, idempotency)
            except Rejected:
                # What refuses this one may be its twin, which came at the same time and has been answered since.
                known = _given(self.store, request.user_id, idempotency)
                if known is None:
                    raise
        raise Unavailable("the same request is under way", retry_after=1)


def _given(store: "Answers", user_id: str, idempotency: Idempotency) -> Answer | None:
    known = store.answer(user_id, idempotency.key)
    if known is not None and known.fingerprint != idempotency.fingerprint:
        raise InvalidInput("key used before", code="idempotency_key_reused", field="Idempotency-Key")
    return known
