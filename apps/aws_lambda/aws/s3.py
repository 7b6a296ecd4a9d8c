"""Where a browser finds the files of a bucket."""

from collections.abc import Mapping
from urllib.parse import urlsplit


def origin(environ: Mapping[str, str], bucket: str) -> str:
    """
    Return the origin of a bucket's signed links, for a Content-Security-Policy.

    It is that of links with ``addressing_style`` "virtual" and ``signature_version``
    "s3v4". For a bucket with a dot in its name it is the origin of all buckets of the
    region. With AWS_ENDPOINT_URL it is that of the endpoint.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
    """
    if endpoint := environ.get("AWS_ENDPOINT_URL"):
        url = urlsplit(endpoint)
        return f"{url.scheme}://{url.netloc}"
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    host = "s3.amazonaws.com"
    # The SDKs have no region in the host name of this one.
    if region and region != "us-east-1":
        suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        host = f"s3.{region}.{suffix}"
    # The certificate of S3 is for one more label.
    return f"https://{host}" if "." in bucket else f"https://{bucket}.{host}"
