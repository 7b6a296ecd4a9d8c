"""What is compared: packages, and the ways in which they are started."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from apps.aws_lambda.cli.package import runtime

# Bytecode of a package that Python uses as it is.
VALID = "valid"
# `sam build` unpacks wheels, which have none.
NONE = "none"
# pip's, valid by the time of the source, which an archive with fixed times changes.
STALE = "stale"

SITE = ("boto3", "django", "django-storages[s3]", "psycopg[binary]", "whitenoise")


@dataclass(frozen=True)
class Adapter:
    """
    What makes a Lambda handler of the site.

    ``requirements`` are installed besides those of the site. ``files`` are those of
    benchmarks/site/entries that its package has, and ``installed`` files of the
    installed packages that its packager copies, by their name in the package.
    ``left`` is the bytecode that ``packager`` leaves. ``not_packaged`` are
    distributions that it leaves to Lambda's runtime.
    """

    name: str
    requirements: tuple[str, ...]
    handler: str
    files: tuple[str, ...]
    packager: str
    left: str
    settings: str = "shop.settings"
    installed: Mapping[str, str] = field(default_factory=dict)
    not_packaged: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)


OURS = Adapter(
    "django-on-lambda",
    ("apig-wsgi", "pybase64"),
    "lambda_entry.http",
    ("lambda_entry.py",),
    packager="django-on-lambda package",
    left=VALID,
    settings="shop.lambda_settings",
    variables={
        "LAMBDA_DATABASE_PROFILE": "proxy",
        "LAMBDA_HOSTS": "shop.example.com",
    },
)
PEERS = (
    Adapter(
        "apig-wsgi",
        ("apig-wsgi",),
        "apig_wsgi_entry.handler",
        ("apig_wsgi_entry.py",),
        packager="sam build",
        left=NONE,
    ),
    Adapter(
        "Mangum",
        ("mangum",),
        "mangum_entry.handler",
        ("mangum_entry.py",),
        packager="sam build",
        left=NONE,
        variables={"SHOP_CONN_MAX_AGE": "0"},
    ),
    Adapter(
        "serverless-wsgi",
        ("serverless-wsgi",),
        "serverless_wsgi_entry.handler",
        ("serverless_wsgi_entry.py",),
        packager="serverless-python-requirements",
        left=STALE,
    ),
    Adapter(
        "Zappa",
        ("zappa",),
        "handler.lambda_handler",
        ("zappa_settings.py",),
        packager="zappa package",
        left=STALE,
        installed={
            "handler.py": "zappa/handler.py",
            "django_zappa_app.py": "zappa/ext/django_zappa.py",
        },
        not_packaged=("boto3", "botocore", "dateutil", "s3transfer"),
    ),
)
ADAPTERS = (OURS, *PEERS)

# Given the folders of the package and of the runtime's libraries: the command to which
# ExecutionEnvironment adds the handler.
Start = Callable[[Path, Path], tuple[str, ...]]


def managed_runtime(root: Path, libraries: Path) -> tuple[str, ...]:
    """Start AWS's runtime client, as the managed runtime does."""
    client = Path(runtime.__file__).with_name("runtime_client.py")
    return (sys.executable, "-I", "-S", str(client), str(libraries))


@dataclass(frozen=True)
class Variant:
    """A way to run the package of an adapter; ``name`` is its key in the results."""

    name: str
    adapter: Adapter
    bytecode: str = VALID
    items: int = 0
    static_files: int = 0
    variables: Mapping[str, str] = field(default_factory=dict)
    start: Start = managed_runtime


# Bare apig-wsgi, the leanest of the peers, stands for them where one is enough.
LEANEST = PEERS[0]
GROWTH = (10, 100, 1000)
STATIC_FILES = 3000

# Each is measured cold and warm.
MAIN = tuple(Variant(adapter.name, adapter) for adapter in ADAPTERS)
AS_PACKAGED = tuple(
    Variant(f"{peer.name}, {peer.packager}", peer, bytecode=peer.left) for peer in PEERS
)
WARMED = Variant(
    f"{OURS.name}, default warm-up",
    OURS,
    variables={"SHOP_WARM_UP_PATHS": "/page/ /admin/login/"},
)
WITHOUT_ACCESS_LINE = Variant(
    f"{OURS.name}, no access line", OURS, variables={"SHOP_ACCESS_LINE": "off"}
)
GROWN = tuple(
    Variant(f"{adapter.name}, {items} models", adapter, items=items)
    for adapter in (OURS, LEANEST)
    for items in GROWTH
)
WITH_STATIC_FILES = tuple(
    Variant(
        f"{adapter.name}, {STATIC_FILES} static files",
        adapter,
        static_files=STATIC_FILES,
    )
    for adapter in (OURS, LEANEST)
)
# Not started: the size that the others are compared with.
PIP = Variant("pip install --target", LEANEST, bytecode=STALE)
COLD = (*MAIN, *AS_PACKAGED, WARMED, *WITH_STATIC_FILES, *GROWN)
WARM = (*MAIN, WITHOUT_ACCESS_LINE)
