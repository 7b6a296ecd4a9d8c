"""The extra `local` of the wheel, in an environment of its own."""

import json
from pathlib import Path

import pytest

from tests.lts.site import python as find_python
from tests.lts.site import wheel
from tests.sites.installed import UV, run

# Starts the local AWS, and uses each of its services.
SCRIPT = """
import sys
from pathlib import Path

from django_on_lambda.cli.run.aws import LocalAWS, missing

folder = Path(sys.argv[1])
if reason := missing():
    sys.exit(reason)
import boto3

with LocalAWS(folder, folder / "stage.json", site_port=1, lambda_port=2) as local:
    local.wait()
    access = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    made = {"endpoint_url": local.url, "region_name": "eu-west-1", **access}
    boto3.client("s3", **made).put_object(Bucket="media", Key="a.txt", Body=b"1")
    queue = f"{local.url}/123456789012/tasks"
    boto3.client("sqs", **made).send_message(QueueUrl=queue, MessageBody="1")
    raw = b"From: a@example.com\\nTo: b@example.com\\nSubject: Hi\\n\\nHello"
    for version, mail in (
        ("ses", {"RawMessage": {"Data": raw}}),
        ("sesv2", {"Content": {"Raw": {"Data": raw}}}),
    ):
        client = boto3.client(version, **made)
        getattr(client, {"ses": "send_raw_email"}.get(version, "send_email"))(**mail)
"""
STAGE = {
    "region": "eu-west-1",
    "buckets": [{"id": "Media", "name": "media", "cors": []}],
    "queues": [{"id": "Tasks", "name": "tasks", "attributes": {}, "dead": None}],
    "mappings": [],
    "schedules": [],
}


@pytest.mark.nightly("an environment of its own; the suite's has all of moto")
def test_the_extra_has_what_the_local_aws_needs(tmp_path: Path):
    environment, state = tmp_path / "environment", tmp_path / "state"
    python = environment / "bin" / "python"
    state.mkdir()
    (state / "stage.json").write_text(json.dumps(STAGE))
    run(UV, "venv", "--quiet", "--python", find_python("3.13"), environment)

    def install(extra: str) -> None:
        requirement = f"django-on-lambda{extra} @ {wheel().as_uri()}"
        run(UV, "pip", "install", "--quiet", "--python", python, requirement)

    install("")
    reason = run(python, "-c", f"{MISSING}print(missing())")
    assert "pip install 'django-on-lambda[local]'" in reason
    install("[local]")
    run(python, "-c", SCRIPT, state)

    assert len(list((state / "mail").iterdir())) == 2
    assert len(list((state / "buckets" / "media").iterdir())) == 1


MISSING = "from django_on_lambda.cli.run.aws import missing;"
