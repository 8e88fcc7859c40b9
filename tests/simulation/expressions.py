"""DynamoDB's expressions, as far as our adapters use them: conditions, keys and updates of an item."""

import re
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import Any

type Item = dict[str, Any]
type Test = Callable[[Item, dict[str, Any], dict[str, str]], bool]

_TOKEN = re.compile(r"\s*(<>|<=|>=|[=<>(),+]|:\w+|#\w+|[A-Za-z_][\w]*)")
_WORDS = frozenset({"AND", "OR", "NOT", "BETWEEN"})
_RESERVED = frozenset(
    {"ttl", "status", "name", "names", "state", "user", "group", "at", "by", "timestamp", "key", "keys"}
)


class UnknownSyntax(AssertionError):
    """Something that this store does not know. Teach it, and compare it with moto."""


def _tokens(text: str) -> list[str]:
    found, at = [], 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None:
            raise UnknownSyntax(f"{text[at:]!r} in {text!r}")
        found.append(match[1])
        at = match.end()
    return found


def _plain(value: dict[str, Any]) -> tuple[str, Any]:
    [(kind, raw)] = value.items()
    if kind == "N":
        return kind, Decimal(raw)
    if kind in ("S", "BOOL", "NULL"):
        return kind, raw
    if kind == "B":
        return kind, bytes(raw)
    raise UnknownSyntax(f"attribute type {kind}")


def attribute_name(token: str) -> Callable[[dict[str, str]], str]:
    """Of the expression's names, what `token` stands for."""
    if token.startswith("#"):
        return lambda names: names[token]
    if not re.fullmatch(r"[A-Za-z_]\w*", token) or token in _WORDS:
        raise UnknownSyntax(f"attribute {token!r}")
    if token.lower() in _RESERVED:
        raise UnknownSyntax(f"{token!r} is a reserved word of DynamoDB: it needs a #name")
    return lambda names: token


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, expected: str | None = None) -> str:
        token = self.peek()
        if not token or (expected is not None and token.upper() != expected):
            raise UnknownSyntax(f"{expected or 'more'} expected at {token!r} in {self.text!r}")
        self.at += 1
        return token

    def whole(self) -> Test:
        test = self.either()
        if self.peek():
            raise UnknownSyntax(f"{self.peek()!r} left over in {self.text!r}")
        return test

    def either(self) -> Test:
        tests = [self.both()]
        while self.peek().upper() == "OR":
            self.take()
            tests.append(self.both())
        return tests[0] if len(tests) == 1 else lambda item, values, names: any(t(item, values, names) for t in tests)

    def both(self) -> Test:
        tests = [self.one()]
        while self.peek().upper() == "AND":
            self.take()
            tests.append(self.one())
        return tests[0] if len(tests) == 1 else lambda item, values, names: all(t(item, values, names) for t in tests)

    def one(self) -> Test:
        token = self.take()
        if token.upper() == "NOT":
            inner = self.one()
            return lambda item, values, names: not inner(item, values, names)
        if token == "(":
            inner = self.either()
            self.take(")")
            return inner
        if self.peek() == "(":
            return self.function(token)
        name = attribute_name(token)
        operator = self.take()
        if operator.upper() == "BETWEEN":
            low = self.value()
            self.take("AND")
            high = self.value()
            return lambda item, values, names: (
                _compare(">=", item.get(name(names)), values[low])
                and _compare("<=", item.get(name(names)), values[high])
            )
        if operator not in ("=", "<>", "<", "<=", ">", ">="):
            raise UnknownSyntax(f"operator {operator!r} in {self.text!r}")
        value = self.value()
        return lambda item, values, names: _compare(operator, item.get(name(names)), values[value])

    def function(self, named: str) -> Test:
        self.take("(")
        name = attribute_name(self.take())
        match named:
            case "attribute_exists":
                test: Test = lambda item, values, names: name(names) in item  # noqa: E731
            case "attribute_not_exists":
                test = lambda item, values, names: name(names) not in item  # noqa: E731
            case "begins_with":
                self.take(",")
                prefix = self.value()
                test = lambda item, values, names: _begins(item.get(name(names)), values[prefix])  # noqa: E731
            case _:
                raise UnknownSyntax(f"function {named!r}")
        self.take(")")
        return test

    def value(self) -> str:
        token = self.take()
        if not token.startswith(":"):
            raise UnknownSyntax(f"a value expected at {token!r} in {self.text!r}")
        return token


def _begins(held: dict[str, Any] | None, prefix: dict[str, Any]) -> bool:
    return held is not None and held.get("S", "").startswith(prefix["S"])


def _compare(operator: str, held: dict[str, Any] | None, given: dict[str, Any]) -> bool:
    if held is None:
        return operator == "<>"
    left, right = _plain(held), _plain(given)
    if operator == "=":
        return left == right
    if operator == "<>":
        return left != right
    if left[0] != right[0]:
        return False
    match operator:
        case "<":
            return bool(left[1] < right[1])
        case "<=":
            return bool(left[1] <= right[1])
        case ">":
            return bool(left[1] > right[1])
    return bool(left[1] >= right[1])


@cache
def condition(text: str) -> Test:
    return _Parser(text).whole()


@cache
def update(text: str) -> tuple[tuple[str, str, str], ...]:
    """(action, attribute, value) of an UpdateExpression: SET a = :v, REMOVE a, ADD a :n.

    SET a = if_not_exists(b, :v) has the action `SET b`.
    """
    parser = _Parser(text)
    steps: list[tuple[str, str, str]] = []
    action = ""
    while parser.peek():
        if parser.peek().upper() in ("SET", "REMOVE", "ADD"):
            action = parser.take().upper()
        elif steps and action:
            parser.take(",")
        attribute = parser.take()
        attribute_name(attribute)
        match action:
            case "SET":
                parser.take("=")
                if parser.peek() == "if_not_exists":
                    parser.take()
                    parser.take("(")
                    other = parser.take()
                    attribute_name(other)
                    parser.take(",")
                    steps.append((f"SET {other}", attribute, parser.value()))
                    parser.take(")")
                else:
                    steps.append(("SET", attribute, parser.value()))
            case "REMOVE":
                steps.append(("REMOVE", attribute, ""))
            case "ADD":
                steps.append(("ADD", attribute, parser.value()))
            case _:
                raise UnknownSyntax(f"update {text!r}")
    return tuple(steps)


def updated(item: Item, text: str, values: dict[str, Any], names: dict[str, str]) -> Item:
    changed = dict(item)
    for action, attribute, value in update(text):
        name = names[attribute] if attribute.startswith("#") else attribute
        if action.startswith("SET"):
            _, _, other = action.partition(" ")
            # Of the item as it was, whatever else the expression sets.
            changed[name] = item.get(names.get(other, other), values[value])
        elif action == "REMOVE":
            changed.pop(name, None)
        else:
            total = Decimal(changed.get(name, {"N": "0"})["N"]) + Decimal(values[value]["N"])
            changed[name] = {"N": str(total)}
    return changed
