# mypy: disable-error-code="assignment, method-assign"
"""A part of Parameter Store's answers that moto leaves out."""

from typing import Any, NamedTuple

from moto.ssm.models import Parameter, SimpleSystemManagerBackend

get_parameters = SimpleSystemManagerBackend.get_parameters


class Selected(NamedTuple):
    """A parameter that was asked for by its version or label."""

    parameter: Parameter
    selector: str

    def response_object(self, *args: Any) -> dict[str, Any]:
        return {**self.parameter.response_object(*args), "Selector": self.selector}


def _get_parameters(backend: Any, names: list[str]) -> dict[str, Any]:
    found = get_parameters(backend, names)
    return {
        name: Selected(parameter, name[name.index(":") :])
        if ":" in name and not name.startswith("arn:")
        else parameter
        for name, parameter in found.items()
    }


SimpleSystemManagerBackend.get_parameters = _get_parameters
