"""Faults that somebody switched on: what they match, and how often they still strike."""

import itertools
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass

from powens_sandbox.errors import ApiError, invalid, missing, not_found
from powens_sandbox.views.formats import Json

KINDS: Mapping[str, frozenset[str]] = {
    "api": frozenset({"status", "latency", "delay", "timeout", "garbage", "empty", "drop", "duplicate"}),
    "webview": frozenset({"status", "latency", "delay", "timeout", "garbage", "empty", "drop"}),
    "webhook": frozenset({"status", "latency", "delay", "timeout", "garbage", "empty", "drop", "duplicate", "reorder"}),
}
# What somebody who adds a fault may give.
_GIVEN = (
    "target", "match", "kind", "status", "code", "retry_after", "seconds", "times", "probability", "after",
)  # fmt: skip
_MAX_FAULTS = 500
# A pattern that backtracks for long would stop the whole sandbox.
_MAX_PATTERN = 200


@dataclass
class Fault:
    """`after`: the request is carried out first and only its answer is spoilt. `times` None: for ever."""

    id: int
    target: str
    match: str
    kind: str
    pattern: re.Pattern[str]
    method: str
    status: int
    code: str
    retry_after: int | None
    seconds: float
    times: int | None
    probability: float
    after: bool
    hits: int = 0

    def shown(self) -> Json:
        return {name: getattr(self, name) for name in ("id", *_GIVEN, "hits")}


class Faults:
    def __init__(self, seed: str) -> None:
        self._faults: dict[int, Fault] = {}
        self._ids = itertools.count(1)
        self._random = random.Random(seed)

    def add(self, wanted: Mapping[str, object]) -> Fault:
        """Raises ApiError 400. `match`: `METHOD /path-regex` for api and webview, an event's name for webhook, or
        nothing for all."""
        unknown = set(wanted) - set(_GIVEN)
        if unknown:
            raise invalid(min(unknown), "is not part of a fault")
        target, kind = wanted.get("target"), wanted.get("kind")
        if not isinstance(target, str) or target not in KINDS:
            raise invalid("target", f"must be one of {', '.join(KINDS)}")
        if kind is None:
            raise missing("kind")
        if not isinstance(kind, str) or kind not in KINDS[target]:
            raise invalid("kind", f"must be one of {', '.join(sorted(KINDS[target]))}")
        match = wanted.get("match", "")
        if not isinstance(match, str) or len(match) > _MAX_PATTERN:
            raise invalid("match")
        method, pattern = _pattern(target, match)
        if len(self._faults) >= _MAX_FAULTS:
            raise ApiError(409, "conflict", "There are too many faults")
        fault = Fault(
            id=next(self._ids),
            target=target,
            match=match,
            kind=kind,
            pattern=pattern,
            method=method,
            status=int(_number(wanted, "status", 500, 100, 599)),
            code=str(wanted.get("code") or ""),
            retry_after=None if wanted.get("retry_after") is None else int(_number(wanted, "retry_after", 0, 0, 86400)),
            seconds=_number(wanted, "seconds", 60 if kind == "timeout" else 1, 0, 3600),
            times=None if wanted.get("times") is None else int(_number(wanted, "times", 1, 1, 10**9)),
            probability=_number(wanted, "probability", 1, 0, 1),
            after=wanted.get("after") is True,
        )
        self._faults[fault.id] = fault
        return fault

    def all(self) -> list[Fault]:
        return list(self._faults.values())

    def remove(self, fault_id: int) -> None:
        if self._faults.pop(fault_id, None) is None:
            raise not_found("fault")

    def clear(self) -> None:
        self._faults.clear()

    def strike(self, target: str, subject: str, method: str = "") -> Fault | None:
        """The first fault that strikes this request or event, counted; None for most."""
        for fault in self._faults.values():
            if fault.target != target or (fault.times is not None and fault.hits >= fault.times):
                continue
            if (fault.method and fault.method != method) or not fault.pattern.search(subject):
                continue
            if fault.probability < 1 and self._random.random() >= fault.probability:
                continue
            fault.hits += 1
            return fault
        return None


def _pattern(target: str, match: str) -> tuple[str, re.Pattern[str]]:
    method = ""
    if target == "webhook":
        text = match.strip().upper().replace("-", "_")
        expression = f"^(?:{text})$" if text else ""
    else:
        head, _, rest = match.strip().partition(" ")
        if re.fullmatch(r"[A-Z]+|\*", head):
            method, match = ("" if head in {"*", "METHOD", "ANY"} else head), rest.strip()
        expression = match
    try:
        return method, re.compile(expression)
    except re.error as error:
        raise invalid("match", "is not a regular expression") from error


def _number(wanted: Mapping[str, object], name: str, default: float, low: float, high: float) -> float:
    value = wanted.get(name, default)
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError as error:
            raise invalid(name) from error
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise invalid(name, f"must be between {low} and {high}")
    return value
