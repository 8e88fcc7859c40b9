"""Real accounts, under all the ids that Powens gave them."""

from dataclasses import dataclass, field


@dataclass(eq=False)
class Real:
    """A real account as one connection sees it, under all the Powens ids that it ever had; the newest counts.

    `identity` is equal for the copies that several connections show of one. `shared`: what identifies it is that of
    another account of the connection, too, if not the name; then which of their new ids is whose is for the product to
    say. `balances`: all that it ever had.
    """

    id: int
    connection: int
    name: str
    ids: list[int] = field(default_factory=list)
    identity: str = ""
    strong: tuple[str, ...] | None = None
    shared: bool = False
    balances: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Update:
    """An update of an account that Powens carried out for us."""

    at: int
    account: int
    disabled: bool
    task: str


def uuid_of(bank: int) -> str:
    """The connector of a bank."""
    return f"338178e6-3d01-564f-9a7b-{bank:012d}"


def same(one: Real, other: Real) -> bool:
    """Whether the same identifies both."""
    return one.strong is not None and one.strong == other.strong
