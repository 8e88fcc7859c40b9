"""Filter patterns of event source mappings: the part of the language that CloudFormation templates use in practice."""

from collections.abc import Callable, Mapping
from typing import Any


def matches(pattern: Mapping[str, Any], value: Any) -> bool:
    """Whether `value` satisfies every key of the pattern. Raises ValueError for an operator it does not know."""
    if "$or" in pattern:
        rest = {key: item for key, item in pattern.items() if key != "$or"}
        return any(matches(one, value) for one in pattern["$or"]) and matches(rest, value)
    for key, wanted in pattern.items():
        there = isinstance(value, Mapping) and key in value
        found = value[key] if there else None
        if isinstance(wanted, Mapping):
            if not matches(wanted, found if there else {}):
                return False
        elif not any(_one(rule, found, there=there) for rule in wanted):
            return False
    return True


def _one(rule: Any, found: Any, *, there: bool) -> bool:
    if isinstance(rule, Mapping):
        ((operator, operand),) = rule.items()
        if operator == "exists":
            return bool(operand) == there
        if operator not in _OPERATORS:
            raise ValueError(f"unknown filter operator {operator}")
        return there and _any(found, lambda item: _OPERATORS[operator](item, operand))
    return there and _any(found, lambda item: bool(item == rule))


def _any(found: Any, rule: Callable[[Any], bool]) -> bool:
    return any(rule(item) for item in found) if isinstance(found, list) else rule(found)


def _anything_but(found: Any, operand: Any) -> bool:
    if isinstance(operand, Mapping):
        ((operator, inner),) = operand.items()
        return not _OPERATORS[operator](found, inner)
    return found not in (operand if isinstance(operand, list) else [operand])


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "prefix": lambda found, operand: isinstance(found, str) and found.startswith(operand),
    "suffix": lambda found, operand: isinstance(found, str) and found.endswith(operand),
    "equals-ignore-case": lambda found, operand: isinstance(found, str) and found.lower() == operand.lower(),
    "anything-but": _anything_but,
}
