"""The cognitive complexity of a function, as SonarSource's white paper (G. Ann Campbell, 2018) counts it.

One for each break of the straight line: `if`, `elif`, `else`, `for`, `while`, `except`, `match`, a conditional
expression, a run of like boolean operators, a call of itself. One more for each level that a break is nested in: within
another break, a lambda or a function in the function. What shortens costs nothing: `with`, `try`, comprehensions.
"""

import ast
from collections.abc import Iterator

type Function = ast.FunctionDef | ast.AsyncFunctionDef


def cognitive_complexity(function: Function) -> int:
    return sum(_cost(child, 0, function.name) for child in function.body)


def _cost(node: ast.AST, nesting: int, name: str) -> int:
    match node:
        case ast.If():
            return _if_cost(node, nesting, name)
        case ast.For() | ast.AsyncFor() | ast.While():
            head = [node.test] if isinstance(node, ast.While) else [node.target, node.iter]
            cost = 1 + nesting + _all(head, nesting, name) + _all(node.body, nesting + 1, name)
            return cost + _else_cost(node.orelse, nesting, name)
        case ast.IfExp() | ast.ExceptHandler() | ast.Match():
            return 1 + nesting + _all(ast.iter_child_nodes(node), nesting + 1, name)
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
            return _all(ast.iter_child_nodes(node), nesting + 1, name)
        case ast.BoolOp():
            return 1 + _all(node.values, nesting, name)
        case ast.Call() if _called(node) == name:
            return 1 + _all(ast.iter_child_nodes(node), nesting, name)
    return _all(ast.iter_child_nodes(node), nesting, name)


def _if_cost(node: ast.If, nesting: int, name: str, *, elif_: bool = False) -> int:
    cost = 1 + (0 if elif_ else nesting) + _cost(node.test, nesting, name) + _all(node.body, nesting + 1, name)
    match node.orelse:
        case [ast.If() as another] if another.col_offset == node.col_offset:
            return cost + _if_cost(another, nesting, name, elif_=True)
    return cost + _else_cost(node.orelse, nesting, name)


def _else_cost(body: list[ast.stmt], nesting: int, name: str) -> int:
    return 1 + _all(body, nesting + 1, name) if body else 0


def _all(nodes: "Iterator[ast.AST] | list[ast.expr] | list[ast.stmt]", nesting: int, name: str) -> int:
    return sum(_cost(node, nesting, name) for node in nodes)


def _called(call: ast.Call) -> str | None:
    """The function's own name; of methods, those of `self` and `cls`."""
    match call.func:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name):
            return name
    return None


def functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, Function]]:
    """Every function and method by its name, `Class.method`. One within a function is a part of that."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{prefix}{node.name}", node
        else:
            yield from functions(node, f"{prefix}{node.name}." if isinstance(node, ast.ClassDef) else prefix)
