"""CloudFormation's YAML tags and the intrinsic functions that can be computed before a deployment."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

_VARIABLE = re.compile(r"\$\{([^!}][^}]*)\}")


class Unresolvable(LookupError):
    """The value depends on a resource, which has no name before the deployment."""


class _Loader(yaml.SafeLoader):
    """Reads `!Ref x`, `!GetAtt a.b`, `!Sub ...` as the long forms."""


def _tag(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    else:
        raise TypeError(type(node))
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _tag)
# A template's dates (`Version: 2012-10-17`) are names, not dates.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load(text: str) -> dict[str, Any]:
    """A template as plain data, intrinsics in their long form."""
    loaded = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader with the tags of CloudFormation
    if not isinstance(loaded, dict):
        raise TypeError("a template is a mapping")
    return loaded


class Resolver:
    """Computes values of a template from its parameters. Raises Unresolvable for what only a deployment knows."""

    def __init__(self, template: Mapping[str, Any], parameters: Mapping[str, str], pseudo: Mapping[str, str]) -> None:
        self._conditions: Mapping[str, Any] = template.get("Conditions", {})
        self._mappings: Mapping[str, Any] = template.get("Mappings", {})
        self._values: dict[str, Any] = dict(pseudo)
        self.parameters: dict[str, Any] = {}
        for name, declared in template.get("Parameters", {}).items():
            value = parameters.get(name, declared.get("Default"))
            if value is None:
                raise Unresolvable(f"parameter {name} has no value")
            as_list = declared.get("Type") in {"CommaDelimitedList", "List<String>"}
            self.parameters[name] = [part.strip() for part in str(value).split(",")] if as_list else str(value)
        self._values.update(self.parameters)

    def __call__(self, value: Any) -> Any:
        if isinstance(value, list):
            resolved = [self(item) for item in value]
            return [item for item in resolved if item is not _NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name == "Ref":
                return self._value(argument)
            if name.startswith("Fn::"):
                return self._function(name.removeprefix("Fn::"), argument)
        resolved_items = {key: self(item) for key, item in value.items()}
        return {key: item for key, item in resolved_items.items() if item is not _NO_VALUE}

    def condition(self, condition: Any) -> bool:
        if isinstance(condition, str):
            return self.condition(self._conditions[condition])
        ((name, argument),) = condition.items()
        match name:
            case "Condition":
                return self.condition(argument)
            case "Fn::Equals":
                first, second = (self(item) for item in argument)
                return bool(first == second)
            case "Fn::Not":
                return not self.condition(argument[0])
            case "Fn::And":
                return all(self.condition(item) for item in argument)
            case "Fn::Or":
                return any(self.condition(item) for item in argument)
        raise Unresolvable(name)

    def _value(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NO_VALUE
        if name not in self._values:
            raise Unresolvable(name)
        return self._values[name]

    def _function(self, name: str, argument: Any) -> Any:
        match name:
            case "Sub":
                text, given = (argument, {}) if isinstance(argument, str) else argument
                extra = {key: self(item) for key, item in given.items()}
                found = _VARIABLE.sub(lambda hit: str(extra.get(hit[1]) or self._value(hit[1])), text)
                return found.replace("${!", "${")
            case "Join":
                separator, parts = argument
                return str(separator).join(str(part) for part in self(parts))
            case "Split":
                separator, text = argument
                return str(self(text)).split(separator)
            case "Select":
                index, parts = argument
                return self(parts)[int(self(index))]
            case "If":
                condition, yes, no = argument
                return self(yes if self.condition(condition) else no)
            case "FindInMap":
                first, second, third = (self(item) for item in argument)
                return self._mappings[first][second][third]
        raise Unresolvable(name)


class _NoValue:
    """What `AWS::NoValue` stands for: the property is left out."""


_NO_VALUE = _NoValue()
