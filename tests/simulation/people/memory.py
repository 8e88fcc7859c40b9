"""What is going to be done, and what a user remembers of it."""

from dataclasses import dataclass, field
from typing import Any

USERS = ("alice", "bruno")


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that is going to be done: when (seconds), what and by whom. `number` names its dice."""

    number: int
    at: float
    kind: str
    who: str


@dataclass
class Manual:
    """A manual account. `names`: what it may be called; `dropped` None: nobody knows."""

    name: str
    dropped: bool | None = False
    names: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.names = {self.name}


@dataclass(frozen=True, slots=True)
class Wish:
    """To hear when a bank (by its connector) gives a type. In microseconds, when it was sent and when it was there."""

    bank: str
    kind: str
    asked: int
    recorded: int


@dataclass(eq=False)
class User:
    """What a user remembers. `screens`: the last list that each device showed."""

    name: str
    screens: dict[int, dict[str, Any]] = field(default_factory=dict)
    operations: list[dict[str, Any]] = field(default_factory=list)
    before: dict[str, dict[int, set[bool]]] = field(default_factory=dict)
    revisions: dict[str, int] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    manual: dict[str, Manual] = field(default_factory=dict)
    unclear: set[str] = field(default_factory=set)
    wishes: dict[str, Wish] = field(default_factory=dict)
    erased_from: int | None = None
