"""What the source says of modules, functions, models and their members.

The text below a member is no value that Python keeps, so it is read from the source; a cold start pays nothing for it.
"""

import ast
import inspect
from collections.abc import Iterator
from types import FunctionType, ModuleType

from pydantic import BaseModel


def text(of: ModuleType | FunctionType | type) -> str:
    """The docstring with each paragraph on one line; empty without one."""
    paragraphs = ((of.__doc__ and inspect.cleandoc(of.__doc__)) or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def summary_and_description(function: FunctionType) -> tuple[str, str]:
    """The first line without its full stop, and what follows."""
    first, _, rest = text(function).partition("\n\n")
    return first.removesuffix("."), rest


def models(base: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """`base` and every model that is made of it."""
    yield base
    for child in base.__subclasses__():
        yield from models(child)


def members(model: type[BaseModel]) -> dict[str, str]:
    """The text below each member of a model, with those that it inherits."""
    found: dict[str, str] = {}
    for kind in reversed(model.__mro__):
        if issubclass(kind, BaseModel) and kind is not BaseModel and "[" not in kind.__name__:
            found |= _own_members(kind)
    return found


def _own_members(model: type[BaseModel]) -> dict[str, str]:
    (definition,) = ast.parse(inspect.getsource(model)).body
    assert isinstance(definition, ast.ClassDef)  # noqa: S101 - the source of a class is one
    found = {}
    for member, below in zip(definition.body, definition.body[1:], strict=False):
        if not (isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name)):
            continue
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            found[member.target.id] = " ".join(str(below.value.value).split())
    return found
