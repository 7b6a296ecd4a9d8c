"""One rule for the region, and where it comes from."""

from pathlib import Path

import pytest

from apps.aws_lambda.cli import ROOT
from apps.aws_lambda.commands.remote.region import Region, find_region

TEMPLATE = "${opt:region, env:AWS_REGION, env:AWS_DEFAULT_REGION, 'eu-central-1'}"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with no source of a region, in which the command runs."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def configure(folder: Path, region: str) -> None:
    text = (
        "service: shop\nprovider:\n  name: aws\n  iam:\n    region: nested\n"
        f"  region: {region}\n\nfunctions:\n  region: other\n"
    )
    (folder / "serverless.yml").write_text(text)


def set_profile(folder: Path) -> None:
    text = "[default]\nregion = us-east-1\n[profile shop]\nregion = ap-south-1\n"
    (folder / "config").write_text(text)


def test_each_source_wins_over_the_next(folder: Path, monkeypatch: pytest.MonkeyPatch):
    assert find_region() == Region("", "")

    set_profile(folder)
    assert find_region()[:2] == ("us-east-1", "the profile default")
    assert find_region(profile="shop")[:2] == ("ap-south-1", "the profile shop")
    monkeypatch.setenv("AWS_PROFILE", "shop")
    assert find_region()[:2] == ("ap-south-1", "the profile shop")

    configure(folder, TEMPLATE)
    assert find_region()[:2] == ("eu-central-1", "serverless.yml")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-2")
    assert find_region()[:2] == ("eu-west-2", "AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert find_region()[:2] == ("eu-west-1", "AWS_REGION")
    found = find_region("eu-north-1")

    assert found[:2] == ("eu-north-1", "--region")
    assert found.another == "eu-west-1"
    assert found.origin() == (
        "eu-north-1 is from --region; AWS_REGION has eu-west-1; AWS_DEFAULT_REGION has "
        "eu-west-2; serverless.yml has eu-central-1; the profile shop has ap-south-1."
    )


@pytest.mark.parametrize("written", ["eu-south-2", "'eu-south-2'", '"eu-south-2" # us'])
def test_a_region_without_variables_is_that_of_the_site(
    folder: Path, monkeypatch: pytest.MonkeyPatch, written: str
):
    configure(folder, written)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")

    assert find_region()[:2] == ("eu-south-2", "serverless.yml")
    assert find_region().another == "eu-west-1"
    assert find_region("eu-west-3").name == "eu-west-3"


def test_variables_of_the_sites_own_are_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    configure(folder, "${env:SHOP_REGION, 'eu-south-2'}")
    assert find_region().name == "eu-south-2"
    monkeypatch.setenv("SHOP_REGION", "eu-west-1")

    assert find_region()[:2] == ("eu-west-1", "SHOP_REGION")


def test_what_only_the_serverless_cli_can_read_is_left_to_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    configure(folder, "${param:region, 'eu-south-2'}")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")

    found = find_region()

    assert found.name == "eu-west-1"
    # As the Serverless CLI has read it.
    assert found.named("eu-south-1") == Region(
        "eu-south-1", "serverless.yml", (("eu-west-1", "AWS_REGION"),)
    )
    assert found.named("eu-west-1") == found


def test_the_nearest_serverless_yml_upwards_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    configure(folder, TEMPLATE)
    (folder / "src").mkdir()
    monkeypatch.chdir(folder / "src")

    assert find_region().name == "eu-central-1"


@pytest.mark.parametrize(
    "path", ["serverless.yml", "apps/aws_lambda/cli/serverless/site/serverless.yml"]
)
def test_the_region_of_this_project_and_of_adopted_sites_is_read(path: str):
    assert f"  region: {TEMPLATE}\n" in (ROOT / path).read_text()


def test_a_missing_profile_has_no_region(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_PROFILE", "absent")

    assert find_region() == Region("", "")
