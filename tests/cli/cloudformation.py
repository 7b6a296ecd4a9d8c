"""Make CloudFormation templates comparable: conditions evaluated, functions as text."""

import re
from pathlib import Path
from typing import Any

import yaml

# A part that its condition removes.
NOTHING = object()
NO_VALUE = "AWS::NoValue"


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms: `!GetAtt Queue.Arn`."""


def _function(loader: Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        raise TypeError(f"!{suffix} with a mapping is not supported.")
    if suffix == "GetAtt":
        value = value.split(".")
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


Loader.add_multi_constructor("!", _function)


def read(path: Path) -> dict[str, Any]:
    """Return a template with the long forms of its functions."""
    template: dict[str, Any] = yaml.load(path.read_text(), Loader)  # noqa: S506
    return template


class Evaluated:
    """A template with its parameters and conditions evaluated, as it is deployed."""

    def __init__(self, template: dict[str, Any], parameters: dict[str, str]) -> None:
        self.conditions = template.get("Conditions", {})
        known = template.get("Parameters", {})
        assert set(parameters) <= set(known)
        self.parameters = {
            name: str(parameters.get(name, parameter["Default"]))
            for name, parameter in known.items()
        }
        rest = {
            name: part
            for name, part in template.items()
            if name not in ("Conditions", "Metadata", "Parameters")
        }
        self.body = self.evaluate(rest)

    def holds(self, condition: Any) -> bool:
        """Return whether a condition is true."""
        [(kind, value)] = condition.items()
        match kind:
            case "Condition":
                return self.holds(self.conditions[value])
            case "Fn::And":
                return all(map(self.holds, value))
            case "Fn::Equals":
                first, second = map(self.evaluate, value)
                return str(first) == str(second)
            case "Fn::Not":
                return not self.holds(value[0])
        raise ValueError(f"{kind} is not supported.")

    def evaluate(self, value: Any) -> Any:
        """Return a part of the template without parameters and conditions."""
        match value:
            case {"Ref": str(name)} if name in self.parameters:
                return self.parameters[name]
            case {"Ref": str(name)} if name == NO_VALUE:
                return NOTHING
            case {"Fn::If": [name, yes, no]}:
                return self.evaluate(yes if self.holds({"Condition": name}) else no)
            case {"Fn::Sub": str(text)}:
                for name, parameter in self.parameters.items():
                    text = text.replace(f"${{{name}}}", parameter)
                return {"Fn::Sub": text} if "${" in text else text
            case {"Condition": str(name)} if not self.holds({"Condition": name}):
                return NOTHING
            case dict():
                evaluated = {
                    key: self.evaluate(part)
                    for key, part in value.items()
                    if key != "Condition" or not isinstance(part, str)
                }
                return {k: v for k, v in evaluated.items() if v is not NOTHING}
            case list():
                return [v for v in map(self.evaluate, value) if v is not NOTHING]
        return value


def plain(value: Any) -> Any:
    """
    Return a value with every function as text: "${Queue.Arn}", "${Api}/*".

    Equal values have equal texts, whether made by Ref, Fn::GetAtt, Fn::Join or Fn::Sub.
    """
    match value:
        case {"Ref": str(name)}:
            return f"${{{name}}}"
        case {"Fn::GetAtt": [*names]}:
            return f"${{{'.'.join(names)}}}"
        case {"Fn::Sub": str(text)}:
            return text
        case {"Fn::Sub": [str(text), dict(values)]}:
            for name, part in values.items():
                text = text.replace(f"${{{name}}}", plain(part))
            return text
        case {"Fn::Join": [str(separator), list(parts)]}:
            return separator.join(plain(part) for part in parts)
        case {"Fn::Split": [str(separator), text]}:
            return plain(text).split(separator)
        case {"Fn::Select": [index, parts]}:
            return plain(parts)[int(index)]
        case dict():
            return {key: plain(part) for key, part in value.items()}
        case list():
            return [plain(part) for part in value]
        case bool():
            return str(value).lower()
        case _:
            return str(value)


def renamed(value: Any, names: dict[str, str]) -> Any:
    """Return a value of `plain` in which resources have other names."""
    match value:
        case dict():
            return {key: renamed(part, names) for key, part in value.items()}
        case list():
            return [renamed(part, names) for part in value]
        case str():
            return re.sub(
                r"\$\{(\w+)",
                lambda match: f"${{{names.get(match[1], match[1])}",
                value,
            )
    return value
