"""What is compared: packages, and the ways in which they are started."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

# Bytecode of a package that Python uses as it is.
VALID = "valid"
# `sam build` unpacks wheels, which have none.
NONE = "none"
# pip's, valid by the time of the source, which an archive with fixed times changes.
STALE = "stale"

SITE = ("django", "psycopg[binary]", "whitenoise")


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


@dataclass(frozen=True)
class Variant:
    """
    A way to run the package of an adapter; ``name`` is its key in the results.

    Without ``bundle``, each module of this project's package has a .pyc file instead.
    ``items`` and ``static_files`` are what a larger site has more. ``wrapper`` is the
    file of the package that AWS_LAMBDA_EXEC_WRAPPER names: Lambda calls it with the
    command that would start its runtime client.
    """

    name: str
    adapter: Adapter
    bytecode: str = VALID
    bundle: bool = True
    items: int = 0
    static_files: int = 0
    variables: Mapping[str, str] = field(default_factory=dict)
    wrapper: str = ""


# Bare apig-wsgi, the leanest of the peers, stands for them where one is enough.
LEANEST = PEERS[0]
GROWTH = (10, 100, 1000)
STATIC_FILES = 3000

# Each is measured cold and warm. The ratios are to the first one.
MAIN = (
    *(Variant(adapter.name, adapter) for adapter in ADAPTERS),
    Variant(
        f"{OURS.name}, own runtime", OURS, wrapper="django_on_lambda/runtime/wrapper"
    ),
)
AS_PACKAGED = tuple(
    Variant(f"{peer.name}, {peer.packager}", peer, bytecode=peer.left) for peer in PEERS
)
WARMED = Variant(
    f"{OURS.name}, default warm-up",
    OURS,
    variables={"SHOP_WARM_UP_PATHS": "/page/ /admin/login/"},
)
# The measured page, with the connection that it queries.
PRIMED = Variant(
    f"{OURS.name}, warm-up of the page",
    OURS,
    variables={"SHOP_WARM_UP_PATHS": "/products/", "SHOP_WARM_UP_DATABASE": "true"},
)
WITHOUT_BUNDLE = Variant(f"{OURS.name}, no code bundle", OURS, bundle=False)
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
# Not started: the sizes that the others are compared with.
PIP = Variant("pip install --target", LEANEST, bytecode=STALE)
WITH_BOTO3 = Variant(
    f"{PIP.name}, with boto3",
    replace(
        LEANEST,
        name="boto3",
        requirements=(*LEANEST.requirements, "boto3", "django-storages[s3]"),
    ),
    bytecode=STALE,
)
# Of this project, besides.
OPTIONS = (WITHOUT_BUNDLE, WARMED)
COLD = (*MAIN, *AS_PACKAGED, *OPTIONS, *WITH_STATIC_FILES, *GROWN)
WARM = (*MAIN, WITHOUT_ACCESS_LINE)
# A fork of AWS's runtime client: a wrapper may start another one.
RESTORED = (PRIMED, WARMED, *(variant for variant in MAIN if not variant.wrapper))
