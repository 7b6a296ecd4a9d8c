"""Static and uploaded files."""

from pathlib import Path

import pytest

from apps.aws_lambda.settings import site
from tests.aws_lambda.settings.conftest import Adopt, advice, changed

S3 = "apps.aws_lambda.media.S3Storage"
SDK = "storages.backends.s3.S3Storage"
PLAIN = "django.contrib.staticfiles.storage.StaticFilesStorage"
FILES = "django.core.files.storage.FileSystemStorage"


@pytest.mark.parametrize(
    ("module", "file"),
    [
        ("mysite.lambda_settings", "/srv/shop/mysite/lambda_settings.py"),
        ("lambda_settings", "/srv/shop/lambda_settings.py"),
        ("config.settings.on_lambda", "/srv/shop/config/settings/on_lambda.py"),
        ("mysite.lambda_settings", "/srv/shop/mysite/lambda_settings/__init__.py"),
    ],
)
def test_static_root_is_in_the_sites_folder(adopt: Adopt, module: str, file: str):
    settings = adopt(__name__=module, __file__=file)

    assert settings["STATIC_ROOT"] == Path("/srv/shop/staticfiles")


def test_a_static_root_of_the_site_stays(adopt: Adopt):
    assert adopt(STATIC_ROOT="/srv/static")["STATIC_ROOT"] == "/srv/static"


@pytest.mark.parametrize("folder", ["/build/static", "assets"])
def test_the_folder_of_the_package_wins(
    adopt: Adopt, monkeypatch: pytest.MonkeyPatch, folder: str
):
    monkeypatch.setenv("LAMBDA_STATIC_ROOT", folder)

    root = adopt(STATIC_ROOT="/srv/static")["STATIC_ROOT"]

    assert root == Path("/srv/shop") / folder


def test_the_storage_of_static_files_stays(adopt: Adopt):
    assert "STORAGES" not in changed(adopt())


@pytest.mark.parametrize(
    ("url", "prefixed"),
    [
        ("static/", "/shop/static/"),
        ("/shop/static/", "/shop/static/"),
        ("/static/", "/static/"),
        ("https://cdn.example.com/", "https://cdn.example.com/"),
    ],
)
def test_urls_below_a_base_path_contain_it(adopt: Adopt, url: str, prefixed: str):
    settings = adopt(LAMBDA_BASE_PATH="/shop", STATIC_URL=url, MEDIA_URL=url)

    assert (settings["STATIC_URL"], settings["MEDIA_URL"]) == (prefixed, prefixed)
    # It is compared with the path of the application.
    prefix = settings.get("WHITENOISE_STATIC_PREFIX")
    assert prefix == ("/static/" if prefixed == "/shop/static/" else None)


@pytest.fixture
def storages_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make django-storages seem installed: a setting only names it."""
    monkeypatch.setattr(site, "find_spec", lambda name: object())


@pytest.mark.usefixtures("storages_installed")
@pytest.mark.parametrize(
    "storages",
    [
        None,
        {"staticfiles": {"BACKEND": PLAIN}},
        {"default": {"BACKEND": FILES, "OPTIONS": {"location": "/srv/media"}}},
        {
            "default": {
                "BACKEND": "django.core.files.storage.filesystem.FileSystemStorage"
            }
        },
    ],
)
def test_uploads_go_to_the_bucket(
    adopt: Adopt, monkeypatch: pytest.MonkeyPatch, storages: dict[str, object] | None
):
    monkeypatch.setenv("MEDIA_BUCKET", "media-1")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")

    settings = adopt(**({"STORAGES": storages} if storages else {}))

    assert settings["STORAGES"]["default"] == {
        "BACKEND": S3,
        "OPTIONS": {"bucket_name": "media-1"},
    }
    static = (storages or {"staticfiles": {"BACKEND": PLAIN}}).get("staticfiles")
    assert settings["STORAGES"].get("staticfiles") == static


@pytest.mark.usefixtures("storages_installed")
def test_settings_of_the_site_for_its_bucket_win(
    adopt: Adopt, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MEDIA_BUCKET", "media-1")

    settings = adopt(
        AWS_LOCATION="shop",
        AWS_QUERYSTRING_EXPIRE=60,
        AWS_S3_FILE_OVERWRITE=True,
        AWS_S3_OBJECT_PARAMETERS={"CacheControl": "no-store"},
        AWS_S3_REGION_NAME="us-west-2",
        # They change nothing.
        AWS_QUERYSTRING_AUTH=True,
        AWS_S3_SIGNATURE_VERSION="s3v4",
        AWS_SES_REGION_NAME="eu-west-1",
        AWS_STORAGE_BUCKET_NAME="media-0",
        AWS_DEFAULT_ACL=None,
    )

    assert settings["STORAGES"]["default"] == {
        "BACKEND": S3,
        "OPTIONS": {
            "bucket_name": "media-1",
            "file_overwrite": True,
            "location": "shop",
            "object_parameters": {"CacheControl": "no-store"},
            "querystring_expire": 60,
            "region_name": "us-west-2",
        },
    }


@pytest.mark.usefixtures("storages_installed")
@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("AWS_S3_CUSTOM_DOMAIN", "cdn.example.com"),
        ("AWS_S3_ENDPOINT_URL", "https://s3.example.com"),
        ("AWS_S3_OBJECT_PARAMETERS", {"ACL": "public-read"}),
        ("AWS_QUERYSTRING_AUTH", False),
        ("AWS_IS_GZIPPED", True),
        ("AWS_ACCESS_KEY_ID", "AKIA"),
    ],
)
def test_what_only_django_storages_can_do_is_left_to_it(
    adopt: Adopt, monkeypatch: pytest.MonkeyPatch, setting: str, value: object
):
    monkeypatch.setenv("MEDIA_BUCKET", "media-1")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")

    settings = adopt(AWS_S3_FILE_OVERWRITE=True, **{setting: value})

    assert settings["STORAGES"]["default"] == {
        "BACKEND": SDK,
        "OPTIONS": {
            "bucket_name": "media-1",
            "region_name": "eu-west-1",
            "addressing_style": "virtual",
            "signature_version": "s3v4",
        },
    }


SELF, NONE = "'self'", "'none'"
ORIGIN = "https://media-1.s3.eu-west-1.amazonaws.com"


@pytest.mark.usefixtures("storages_installed")
@pytest.mark.parametrize(
    ("policy", "after"),
    [
        (
            {"default-src": [SELF], "img-src": (SELF, "data:")},
            {
                "default-src": [SELF],
                "img-src": [SELF, "data:", ORIGIN],
                "media-src": [SELF, ORIGIN],
            },
        ),
        (
            {"img-src": [NONE], "media-src": [SELF]},
            {"img-src": [NONE], "media-src": [SELF, ORIGIN]},
        ),
        ({"script-src": [SELF]}, {"script-src": [SELF]}),
        ({}, {}),
    ],
)
@pytest.mark.parametrize("name", ["SECURE_CSP", "SECURE_CSP_REPORT_ONLY"])
def test_the_policy_allows_images_of_the_bucket(
    adopt: Adopt,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    policy: dict[str, object],
    after: dict[str, object],
):
    monkeypatch.setenv("MEDIA_BUCKET", "media-1")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")

    settings = adopt(**{name: policy})

    assert settings[name] == after


@pytest.mark.usefixtures("storages_installed")
@pytest.mark.parametrize(
    ("own", "host"),
    [
        ({}, "s3.us-east-1.amazonaws.com"),
        # The SDK has no region in the host name of this one.
        ({"AWS_IS_GZIPPED": True}, "s3.amazonaws.com"),
        ({"AWS_S3_REGION_NAME": "cn-north-1"}, "s3.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_the_policy_allows_the_host_of_the_links(
    adopt: Adopt, monkeypatch: pytest.MonkeyPatch, own: dict[str, object], host: str
):
    monkeypatch.setenv("MEDIA_BUCKET", "media-1")
    monkeypatch.setenv("AWS_REGION", "us-east-1")

    settings = adopt(SECURE_CSP={"default-src": [SELF]}, **own)

    assert settings["SECURE_CSP"]["img-src"] == [SELF, f"https://media-1.{host}"]


@pytest.mark.usefixtures("storages_installed")
def test_the_policy_stays_without_uploads_in_the_bucket(
    adopt: Adopt, monkeypatch: pytest.MonkeyPatch
):
    policy = {"default-src": [SELF]}
    assert adopt(SECURE_CSP=policy)["SECURE_CSP"] == policy

    monkeypatch.setenv("MEDIA_BUCKET", "media-1")

    own = {"default": {"BACKEND": "mysite.storage.Azure"}}
    assert adopt(SECURE_CSP=policy, STORAGES=own)["SECURE_CSP"] == policy
    domain = adopt(SECURE_CSP=policy, AWS_S3_CUSTOM_DOMAIN="cdn.example.com")
    assert domain["SECURE_CSP"] == policy


def test_another_storage_stays(adopt: Adopt, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MEDIA_BUCKET", "media-1")

    settings = adopt(STORAGES={"default": {"BACKEND": "mysite.storage.Azure"}})

    assert "STORAGES" not in changed(settings)


@pytest.mark.parametrize("missing", ["storages", "boto3"])
def test_a_site_without_django_storages_starts_and_has_the_command_as_advice(
    adopt: Adopt, monkeypatch: pytest.MonkeyPatch, missing: str
):
    monkeypatch.setenv("MEDIA_BUCKET", "media-1")
    monkeypatch.setattr(
        site, "find_spec", lambda name: None if name == missing else object()
    )

    settings = adopt()

    assert "STORAGES" not in changed(settings)
    assert (
        "pip install 'django-storages[s3]'" in advice(settings)["STORAGES['default']"]
    )


def test_uploads_without_a_bucket_are_reported(adopt: Adopt):
    assert "STORAGES['default']" in advice(adopt())
    assert "STORAGES['default']" not in advice(adopt(MEDIA_ROOT="/mnt/media"))


UPLOADS = "apps.aws_lambda.uploads"


@pytest.mark.usefixtures("storages_installed")
def test_one_setting_lets_browsers_upload_to_the_bucket(
    adopt: Adopt, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MEDIA_BUCKET", "media-1")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")

    settings = adopt(LAMBDA_UPLOADS=True, SECURE_CSP={"default-src": [SELF]})

    assert settings["INSTALLED_APPS"][-1] == UPLOADS
    assert settings["MIDDLEWARE"][-1] == "apps.aws_lambda.middleware.UploadMiddleware"
    assert settings["SECURE_CSP"]["connect-src"] == [SELF, ORIGIN]
    commands = settings["LAMBDA_SCHEDULED_COMMANDS"]
    assert commands == [["clearsessions"], ["purge_uploads"]]
    without = adopt(SECURE_CSP={"default-src": [SELF]})
    assert UPLOADS not in without["INSTALLED_APPS"]
    assert "connect-src" not in without["SECURE_CSP"]


@pytest.mark.usefixtures("storages_installed")
def test_uploads_without_the_bucket_are_advised(
    adopt: Adopt, monkeypatch: pytest.MonkeyPatch
):
    for own in ({}, {"AWS_S3_CUSTOM_DOMAIN": "cdn.example.com"}):
        settings = adopt(LAMBDA_UPLOADS=True, **own)

        assert "MEDIA_BUCKET" in advice(settings)["LAMBDA_UPLOADS"]
        assert UPLOADS not in settings["INSTALLED_APPS"]
        monkeypatch.setenv("MEDIA_BUCKET", "media-1")
