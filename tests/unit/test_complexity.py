"""The measure of `tests/complexity.py`, on the constructs that it counts."""

import ast
import textwrap

import pytest

from tests.complexity import cognitive_complexity, functions


def complexity(body: str) -> int:
    source = "def f(a, b, c):\n" + textwrap.indent(textwrap.dedent(body), "    ")
    [(_, function)] = functions(ast.parse(source))
    return cognitive_complexity(function)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return a", 0),
        ("if a:\n  return b", 1),
        ("if a:\n  return b\nelse:\n  return c", 2),
        ("if a:\n  pass\nelif b:\n  pass\nelif c:\n  pass\nelse:\n  pass", 4),
        ("if a:\n  pass\nelse:\n  if b:\n    pass", 4),
        ("for x in a:\n  if x:\n    return b", 3),
        ("for x in a:\n  if x:\n    return b\nelse:\n  return c", 4),
        ("while a:\n  while b:\n    if c:\n      pass", 6),
        ("try:\n  a()\nexcept ValueError:\n  b()", 1),
        ("try:\n  a()\nexcept ValueError:\n  if b:\n    pass\nfinally:\n  c()", 3),
        ("with a:\n  if b:\n    pass", 1),
        ("match a:\n  case 1:\n    return b\n  case 2 if b:\n    return c", 1),
        ("match a:\n  case 1:\n    if b:\n      pass", 3),
        ("return a if b else c", 1),
        ("return [x for x in a if x]", 0),
        ("return a and b and c", 1),
        ("return a and b or c", 2),
        ("return not (a and b) and c", 2),
        ("def g():\n  if a:\n    return b\nreturn g", 2),
        ("return lambda: b if a else c", 2),
        ("return f(a, b, c)", 1),
        ("return self.f(a)", 1),
        ("return other.f(a)", 0),
        ("if a and b:\n  return f(a, b, c)", 3),
    ],
)
def test_a_body_has_the_complexity_that_the_white_paper_gives_it(body: str, expected: int) -> None:
    assert complexity(body) == expected


def test_methods_are_named_with_their_class_and_inner_functions_belong_to_the_outer_one() -> None:
    source = """
    def plain():
        def inner(): ...
    class A:
        def method(self): ...
        class B:
            async def method(self): ...
    if True:
        def conditional(): ...
    """
    found = [name for name, _ in functions(ast.parse(textwrap.dedent(source)))]
    assert found == ["plain", "A.method", "A.B.method", "conditional"]
