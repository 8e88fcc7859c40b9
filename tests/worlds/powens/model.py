"""What Powens has: users, connections with their accounts, and connectors."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass
class Account:
    """`balance` as JSON writes it. `obeys`: whether updates take effect. `error`: why this account alone fails.

    `odd`: fields as no documentation has them.
    """

    id: int
    name: str
    iban: str | None
    number: str | None
    type: str
    currency: str | None
    balance: float | None
    disabled: bool
    deleted: bool = False
    obeys: bool = True
    error: str | None = None
    last_update: datetime | None = None
    odd: dict[str, object] = field(default_factory=dict)


@dataclass
class Connection:
    id: int
    user: int
    bank: str
    uuid: str
    last_update: datetime
    next_try: datetime | None = None
    state: str | None = None
    active: bool = True
    accounts: dict[int, Account] = field(default_factory=dict)
    odd: dict[str, object] = field(default_factory=dict)


@dataclass
class Connector:
    """An institution. `sources`: (name, whether it is disabled) pairs; `listed`: the types that a source lists."""

    uuid: str
    name: str
    capabilities: tuple[str, ...] = ("bank",)
    products: tuple[str, ...] = ("bank",)
    sources: tuple[tuple[str, bool], ...] = (("openapi", False),)
    listed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    restricted: bool = False
    hidden: bool | None = None

    def give_savings(self) -> None:
        """Powens starts to handle everything here."""
        self.capabilities = ("bank", "bankwealth")
        self.products = ("bank", "wealth")
        self.sources = (("openapi", False), ("directaccess", False))


@dataclass
class User:
    id: int
    temporary: bool
    tokens: set[str] = field(default_factory=set)
