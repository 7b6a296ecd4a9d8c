"""The SSM parameters to which environment variables of a stage refer."""

from datetime import UTC, datetime
from typing import NamedTuple

from ..release.errors import NotFound
from ..release.stage import Stage
from ..report import DeployError


class Value(NamedTuple):
    """
    The decrypted value of a parameter, never to be printed.

    ``modified`` is in UTC.
    """

    text: str
    version: int
    modified: datetime


class Parameter:
    """
    The parameter to which a variable of a stage refers.

    Every method raises DeployError if AWS refuses the call, and the constructor if the
    variable refers to none.
    """

    def __init__(self, stage: Stage, variable: str) -> None:
        reference = str(stage.environment_variables.get(variable) or "")
        name = reference.removeprefix("ssm:")
        if not reference.startswith("ssm:") or ":" in name:
            default = f"ssm:/{stage.configuration['service']}/{stage.name}/"
            others = [
                name
                for name, value in stage.environment_variables.items()
                if str(value).startswith("ssm:")
            ]
            another = (
                ", or name the variable that has the secret with --variable: "
                f"{', '.join(others)}"
                if others and not reference
                else ""
            )
            raise DeployError(
                f'{variable} of the stage {stage.name} is "{reference}" in '
                "serverless.yml (provider.environment), and only an SSM parameter "
                "without a version can be rotated. Let it refer to one: "
                f"{default}{variable.lower().replace('_', '-')} (docs/secrets.md)"
                f"{another}"
            )
        self.stage = stage
        self.variable = variable
        self.name = name

    def read(self) -> Value | None:
        """Return the value, or None if the parameter does not exist."""
        try:
            answer = self.stage.call(
                "ssm", "get_parameter", Name=self.name, WithDecryption=True
            )
        except NotFound:
            return None
        found = answer["Parameter"]
        return Value(
            str(found["Value"]),
            int(found["Version"]),
            # boto3 returns the time of this machine's zone.
            found["LastModifiedDate"].astimezone(UTC),
        )

    def write(self, text: str, *, key_of: "Parameter | None" = None) -> int:
        """
        Store a value, encrypted with the same key as before, and return its version.

        A parameter that does not exist is encrypted with the key of ``key_of``.
        """
        key = self._key() or (key_of._key() if key_of else "")
        with self.stage.progress.change(
            self.name,
            maybe=f"The parameter {self.name} may have a new value.",
            done=f"The parameter {self.name} has a new value.",
        ):
            answer = self.stage.call(
                "ssm",
                "put_parameter",
                Name=self.name,
                Value=text,
                Type="SecureString",
                Overwrite=True,
                **({"KeyId": key} if key else {}),
            )
        return int(answer["Version"])

    def _key(self) -> str:
        """Return the KMS key of the parameter, "" without one."""
        answer = self.stage.call(
            "ssm",
            "describe_parameters",
            ParameterFilters=[
                {"Key": "Name", "Option": "Equals", "Values": [self.name]}
            ],
        )
        found = answer["Parameters"]
        return str(found[0].get("KeyId", "")) if found else ""
