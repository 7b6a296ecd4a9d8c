"""A bucket with the rules of resources/media.yml."""

from typing import Any

from tests.services.aws import REGION

ORIGIN = "https://example.com"
CORS = {
    "AllowedMethods": ["GET", "POST", "PUT"],
    "AllowedHeaders": ["*"],
    "AllowedOrigins": [ORIGIN],
}
END_UPLOADS = {
    "ID": "forget-unfinished-uploads",
    "Status": "Enabled",
    "Filter": {"Prefix": ""},
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2},
}
DELETE_ANSWERS = {
    "ID": "forget-answers",
    "Status": "Enabled",
    "Filter": {"Prefix": "exports/"},
    "Expiration": {"Days": 1},
}


def create_bucket(client: Any, name: str) -> None:
    """Create a bucket with the client of boto3."""
    place = {"LocationConstraint": REGION}
    client.create_bucket(Bucket=name, CreateBucketConfiguration=place)
    client.put_bucket_versioning(
        Bucket=name, VersioningConfiguration={"Status": "Enabled"}
    )
    encrypt = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    client.put_bucket_encryption(
        Bucket=name, ServerSideEncryptionConfiguration={"Rules": [encrypt]}
    )
    allow(client, name, CORS)
    end(client, name, END_UPLOADS, DELETE_ANSWERS)


def allow(client: Any, name: str, *rules: dict[str, Any]) -> None:
    """Give the bucket other rules for pages (CORS)."""
    client.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": [*rules]})


def end(client: Any, name: str, *rules: dict[str, Any]) -> None:
    """Give the bucket other lifecycle rules."""
    client.put_bucket_lifecycle_configuration(
        Bucket=name, LifecycleConfiguration={"Rules": [*rules]}
    )


def everything_in(client: Any, name: str) -> list[str]:
    """Return the keys of all versions, delete markers and unfinished uploads."""
    found = client.list_object_versions(Bucket=name)
    uploads = client.list_multipart_uploads(Bucket=name)
    kinds = (found.get("Versions"), found.get("DeleteMarkers"), uploads.get("Uploads"))
    return [each["Key"] for kind in kinds for each in kind or ()]
