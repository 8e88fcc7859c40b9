"""What the checks say: one line each, with the section of the guide that helps."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from botocore.exceptions import BotoCoreError, ClientError

from ops.powens import Refused
from ops.wire import Unreachable


class State(StrEnum):
    """`LOOK`: not wrong by itself. `SKIPPED`: nothing was found out."""

    OK = "ok"
    LOOK = "look"
    SKIPPED = "skipped"
    FAILED = "FAILED"


class Wrong(Exception):
    """What a check saw instead of what has to be. One line, without a secret."""


class NotNow(Exception):
    """A check that cannot be made here, or was not allowed. One line that says why."""


@dataclass(frozen=True)
class Finding:
    """`guide` is where to read on: a file of docs and the title of a section."""

    state: State
    what: str
    seen: str
    guide: str

    def __str__(self) -> str:
        further = f" -> {self.guide}" if self.state in (State.FAILED, State.LOOK) else ""
        return f"{self.state:<8} {self.what}: {self.seen}{further}"


def found(what: str, guide: str, check: Callable[[], str]) -> Finding:
    """What a check says. It returns what it saw; raises Wrong or NotNow; AWS and Powens may fail in it."""
    try:
        return Finding(State.OK, what, check(), guide)
    except NotNow as reason:
        return Finding(State.SKIPPED, what, str(reason), guide)
    except ClientError as error:
        refusal = error.response.get("Error", {}).get("Code", "an error")
        return Finding(State.FAILED, what, f"AWS answers {refusal} to {error.operation_name}", guide)
    except (Wrong, Refused, Unreachable) as error:
        return Finding(State.FAILED, what, str(error), guide)
    except BotoCoreError as error:
        return Finding(State.FAILED, what, f"AWS cannot be asked ({type(error).__name__})", guide)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        return Finding(State.FAILED, what, f"an answer has a form of its own ({type(error).__name__})", guide)
