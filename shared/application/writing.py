"""How what a use case decides is written, and decided again when somebody else wrote first.

A use case of the API reads and decides, and returns a draft. Whoever asked for it has it written here; the API renders
its answer in between, which is then written in the same transaction (ADR 0011, ADR 0034).
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from shared.application.ports import Answer, StaleWriteError
from shared.domain.errors import StoreUnavailable

ATTEMPTS = 6


@dataclass(frozen=True, slots=True)
class Draft[T]:
    """A change that is decided and not yet written. `subject` is what it is about, as it will be.

    `write` makes one transaction of the change and of the answer to keep, if there is one. It raises StaleWriteError
    when somebody else wrote first, and TakenError when the answer's key is taken.
    """

    subject: T
    write: Callable[[Answer | None], None]

    def of[S](self, subject: S) -> "Draft[S]":
        """The same change, told about `subject`."""
        return Draft(subject, self.write)


def write[T](attempt: Callable[[], Draft[T]]) -> T:
    """Write what `attempt` decides, without an answer. Raises as `write_with_answer`."""
    return write_with_answer(attempt, lambda subject: (subject, None))


def write_with_answer[T, A](attempt: Callable[[], Draft[T]], render: Callable[[T], tuple[A, Answer | None]]) -> A:
    """Write what `attempt` decides together with the answer to it.

    `render` makes of the draft's subject what is returned, and what is kept of it. `attempt` runs again, on what is
    there then, while somebody else writes first. Raises what `attempt` and the draft raise, and StoreUnavailable when
    other writers were faster each time.
    """
    for _ in range(ATTEMPTS):
        draft = attempt()
        answer, kept = render(draft.subject)
        with suppress(StaleWriteError):
            draft.write(kept)
            return answer
    raise StoreUnavailable("too many writers of the same thing", retry_after=1)
