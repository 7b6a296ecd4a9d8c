"""CodeDeploy's traffic shift of an alias, which moto records but does not do."""

import json
from collections.abc import Callable
from typing import Any

from tests.services.aws import AWS
from tests.services.local_lambda import Answer, Asked

JSON = {"Content-Type": "application/x-amz-json-1.1"}


class CodeDeploy:
    """
    Shift like LambdaCanary10Percent, one step for each GetDeployment.

    Set it as ``LocalLambda.between``; moto has the application and its group. While
    ``alarm`` is true, an alarm of the group is in ALARM, and the shift is rolled back.
    https://docs.aws.amazon.com/codedeploy/latest/userguide/deployment-steps-lambda.html
    """

    def __init__(self, aws: AWS) -> None:
        self.aws = aws
        self.alarm = False
        self.id = self.status = ""
        self.plan: dict[str, str] = {}

    def __call__(self, asked: Asked, respond: Callable[[Asked], Answer]) -> Answer:
        target = asked.headers.get("X-Amz-Target", "")
        if target == "CodeDeploy_20141006.StopDeployment":
            return 200, json.dumps(self.stop(json.loads(asked.body))).encode(), JSON
        if target == "CodeDeploy_20141006.ListDeployments":
            return 200, json.dumps({"deployments": self.active()}).encode(), JSON
        status, content, headers = respond(asked)
        if target == "CodeDeploy_20141006.CreateDeployment" and status == 200:
            self.id = json.loads(content)["deploymentId"]
            self.begin(json.loads(asked.body))
        elif target == "CodeDeploy_20141006.GetDeployment" and status == 200:
            self.go_on()
            found = json.loads(content)
            found["deploymentInfo"] |= self.info()
            content = json.dumps(found).encode()
        return status, content, headers

    def begin(self, given: dict[str, Any]) -> None:
        content = json.loads(given["revision"]["appSpecContent"]["content"])
        [[resource]] = [resource.values() for resource in content["Resources"]]
        self.plan = resource["Properties"]
        self.status = "Created"

    def go_on(self) -> None:
        match self.status:
            case "Created":
                self.point("CurrentVersion", {self.plan["TargetVersion"]: 0.1})
                self.status = "InProgress"
            case "InProgress" if self.alarm:
                self.point("CurrentVersion")
                self.status = "Stopped"
            case "InProgress":
                self.point("TargetVersion")
                self.status = "Succeeded"

    def stop(self, given: dict[str, Any]) -> dict[str, str]:
        if given["deploymentId"] == self.id and given.get("autoRollbackEnabled"):
            self.point("CurrentVersion")
        self.status = "Stopped"
        return {"status": "Succeeded"}

    def active(self) -> list[str]:
        return [self.id] if self.status in ("Created", "InProgress") else []

    def info(self) -> dict[str, Any]:
        reason = {"code": "ALARM_ACTIVE", "message": "One or more alarms ring."}
        alarmed = self.alarm and self.status == "Stopped"
        return {"status": self.status} | (
            {"errorInformation": reason} if alarmed else {}
        )

    def point(self, version: str, weights: dict[str, float] | None = None) -> None:
        self.aws.client("lambda").update_alias(
            FunctionName=self.plan["Name"],
            Name=self.plan["Alias"],
            FunctionVersion=self.plan[version],
            RoutingConfig={"AdditionalVersionWeights": weights or {}},
        )
