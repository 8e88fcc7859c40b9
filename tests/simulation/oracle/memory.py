"""What the oracle keeps: which ends are allowed, choices on their way, operations that ended, open screens."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False)
class Asked:
    """A choice on its way through our API. `also`: values that might turn out to be newer."""

    wants: dict[int, bool]
    also: dict[int, set[bool]] = field(default_factory=dict)


@dataclass
class Expected:
    """One real account. `excused`: an operation about it has failed, and said so, since the newest choice.

    `alike`: it was re-created together with namesakes of other wishes, and nobody has chosen since; `missed`: it is
    certain that they differed. `names`: what its user called it, None where she may not have.
    """

    allowed: set[bool]
    excused: bool = False
    ordered: set[bool] = field(default_factory=set)
    """What our app may tell Powens about it: what was ever asked for."""
    alike: bool = False
    missed: bool = False
    names: set[str | None] = field(default_factory=lambda: {None})
    dropped: dict[bool, int] = field(default_factory=dict)
    """When an end ceased to be allowed, in microseconds: an order for it may have been on its way."""

    def now(self, allowed: set[bool], at: int) -> None:
        """From now on other ends are allowed."""
        self.dropped |= dict.fromkeys(self.allowed - allowed, at)
        self.allowed = allowed


@dataclass(frozen=True, slots=True)
class Ended:
    """How an operation ended, as the table had it."""

    id: str
    connection: str
    kind: str
    status: str
    reason: str | None
    created: int
    at: int
    failed: tuple[tuple[str, str | None], ...]


@dataclass(eq=False)
class Screen:
    """An open screen, as its user's device knows it. `told`: what it heard and when; times in microseconds."""

    socket_id: str
    user: str
    opened_at: int
    token_until: int
    closed_at: int | None = None
    told: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
