"""
Django settings: one file, in which stages differ by environment only.

The table below documents every environment variable: its type, its default, and
why it exists. A stage is "local" on a developer's machine, and anything else on
Lambda. An empty variable is the same as none, and one that cannot be right stops
the start with a sentence that names it.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.utils.csp import CSP

from apps.aws_lambda.database import configure
from project.env import (
    Env,
    database_url,
    log_level,
    metrics_namespace,
    one_of,
    origins,
    seconds,
    site_url,
    some_of,
)

BASE_DIR = Path(__file__).resolve().parent.parent

# Environment
# https://django-environ.readthedocs.io/
#
# Any value may be a reference, "ssm:/path/name" or "secretsmanager:name:key",
# which is resolved before this file is read (docs/secrets.md).

env = Env(
    # Where this runs. "local" allows plain HTTP and a public secret key.
    STAGE=(str, "local"),
    # Where people find the site: "https://example.com". Hosts, trusted origins,
    # cookie names, HSTS and the base path follow from it.
    PUBLIC_URL=(site_url, ""),
    # More host names to answer to, such as the gateway's own. Outside the local
    # stage, this or PUBLIC_URL is required.
    ALLOWED_HOSTS=(list, []),
    # More origins from which forms may be sent: "https://www.example.com".
    CSRF_TRUSTED_ORIGINS=(origins, []),
    # Origins whose scripts may call this site. Empty: CORS is off.
    CORS_ALLOWED_ORIGINS=(origins, []),
    # Signs sessions and tokens. Required outside the local stage.
    SECRET_KEY=(str, ""),
    # Keys that were or will be SECRET_KEY, accepted but not used for signing.
    SECRET_KEY_FALLBACKS=(list, []),
    # How long a browser insists on HTTPS, in seconds. Start with 3600 on a
    # domain that still has something on plain HTTP.
    SECURE_HSTS_SECONDS=(int, 31_536_000),
    # postgres://user:password@host:5432/name. Required outside the local stage,
    # which has an SQLite file. Options follow a "?" and win over the profile.
    DATABASE_URL=(database_url, ""),
    # "direct", or "proxy" behind RDS Proxy or pgbouncer (docs/operate.md).
    LAMBDA_DATABASE_PROFILE=(one_of("direct", "proxy"), "direct"),
    # Connect in the init phase, if the profile keeps connections (docs/operate.md).
    LAMBDA_WARM_UP_DATABASE=(bool, False),
    # Seconds after which a parameter or secret counts as old (docs/secrets.md).
    LAMBDA_PARAMETERS_TTL=(int, 300),
    # Log in to RDS with the function's role instead of a password.
    LAMBDA_DATABASE_IAM_AUTH=(bool, False),
    # dbcache://table, or rediss://host:6379/0 with the package redis.
    CACHE_URL=(str, "dbcache://django_cache"),
    # The queue of background tasks: "https://sqs.<region>.amazonaws.com/<account>/<name>".
    # Empty: a task runs at once, where it is enqueued.
    TASK_QUEUE_URL=(site_url, ""),
    # Failed logins of one name from one address before both have to wait.
    LOGIN_FAILURE_LIMIT=(int, 5),
    # The S3 bucket of uploaded files. Lambda's own disk is read-only and forgotten:
    # outside the local stage, either this or a MEDIA_ROOT on EFS ("/mnt/...").
    MEDIA_BUCKET=(str, ""),
    # Where uploaded files are kept without a bucket.
    MEDIA_ROOT=(str, str(BASE_DIR / "media")),
    # Where collectstatic puts static files, and WhiteNoise finds them.
    STATIC_ROOT=(str, str(BASE_DIR / "staticfiles")),
    # The least severe log level that is written.
    LOG_LEVEL=(log_level, ""),
    # Lambda's own setting of the same, which counts where LOG_LEVEL is not set.
    AWS_LAMBDA_LOG_LEVEL=(log_level, "INFO"),
    # The CloudWatch namespace of the metrics in the log (docs/operate.md). The alarms
    # and the dashboard of serverless.yml look into the default one.
    LAMBDA_METRICS_NAMESPACE=(metrics_namespace, "DjangoOnLambda"),
    # What metrics can be looked at by: some of "route,task,command", or "none". Each
    # route that is visited costs about 2.10 USD a month.
    LAMBDA_METRICS_DIMENSIONS=(
        some_of("route", "task", "command"),
        ["route", "task", "command"],
    ),
    # Django's debug pages. They show settings and source: never in public.
    DEBUG=(bool, False),
    # django-debug-toolbar, in the local stage only.
    DEBUG_TOOLBAR=(bool, False),
    # The admin's documentation of models and views; needs docutils.
    ADMIN_DOCS=(bool, False),
    # The public path that a proxy or a mapped domain adds and no event holds;
    # by default the path of PUBLIC_URL.
    LAMBDA_BASE_PATH=(str, ""),
    # "http" under serverless-offline only; a gateway always speaks https.
    LAMBDA_URL_SCHEME=(one_of("https", "http"), "https"),
    # Proxies that append to X-Forwarded-For before an Application Load
    # Balancer hands the request over, the balancer included.
    LAMBDA_TRUSTED_PROXIES=(int, 1),
    # Seconds before Lambda's timeout at which a request is ended and answered.
    LAMBDA_DEADLINE_MARGIN=(seconds, 0.5),
    # The function's own timeout and that of the gateway, in seconds; the
    # concurrency that is reserved for it, and the connections that the database
    # has. The system checks compare them (docs/checks.md).
    LAMBDA_FUNCTION_TIMEOUT=(int, None),
    # See LAMBDA_FUNCTION_TIMEOUT.
    LAMBDA_GATEWAY_TIMEOUT=(int, 29),
    # See LAMBDA_FUNCTION_TIMEOUT.
    LAMBDA_RESERVED_CONCURRENCY=(int, None),
    # See LAMBDA_FUNCTION_TIMEOUT.
    LAMBDA_DATABASE_MAX_CONNECTIONS=(int, None),
    # AWS X-Ray. Off, because it costs init time and X-Ray costs money.
    LAMBDA_TRACING=(bool, False),
)
# For local work. It is never deployed, and what is set already wins over it.
Env.read_env(env("ENV_FILE", default=str(BASE_DIR / ".env")))

STAGE = env("STAGE")
LOCAL = STAGE == "local"
DEBUG = env("DEBUG")
PUBLIC_URL = env("PUBLIC_URL")
public = urlsplit(PUBLIC_URL)

if not LOCAL:
    env.require(
        "SECRET_KEY",
        "DATABASE_URL",
        *([] if PUBLIC_URL else ["ALLOWED_HOSTS"]),
        reason=f"Every stage but 'local' needs it, and STAGE is {STAGE!r}.",
    )

# Security
# https://docs.djangoproject.com/en/6.1/topics/security/

SECRET_KEY = env("SECRET_KEY") or "local-only-" + "not-a-secret-" * 4
SECRET_KEY_FALLBACKS = env("SECRET_KEY_FALLBACKS")

ALLOWED_HOSTS = [*env("ALLOWED_HOSTS")]
CSRF_TRUSTED_ORIGINS = [*env("CSRF_TRUSTED_ORIGINS")]
if PUBLIC_URL:
    ALLOWED_HOSTS.append(public.hostname)
    CSRF_TRUSTED_ORIGINS.append(f"{public.scheme}://{public.netloc}")
if LOCAL:
    ALLOWED_HOSTS += ["localhost", "127.0.0.1", "[::1]"]

CSRF_FAILURE_VIEW = "apps.aws_lambda.views.csrf_failure"

# The local stage is plain HTTP. The gateway layer sets the scheme of every
# request, so SECURE_PROXY_SSL_HEADER stays unset: a client could send it.
CSRF_COOKIE_SECURE = not LOCAL
SESSION_COOKIE_SECURE = not LOCAL
SECURE_SSL_REDIRECT = not LOCAL
SECURE_HSTS_SECONDS = 0 if LOCAL else env("SECURE_HSTS_SECONDS")
SECURE_HSTS_INCLUDE_SUBDOMAINS = not LOCAL
SECURE_HSTS_PRELOAD = not LOCAL

# A browser takes a "__Host-" cookie from this host only, over HTTPS, for the
# whole host: no subdomain can plant one. Stages share the gateway's host and
# need a path each, so there the names stay as they are.
if public.scheme == "https" and not public.path:
    CSRF_COOKIE_NAME = "__Host-csrftoken"
    SESSION_COOKIE_NAME = "__Host-sessionid"

SECURE_CSP = {
    "default-src": [CSP.SELF],
    "style-src": [CSP.SELF, CSP.NONCE],
    "img-src": [CSP.SELF, "data:"],
    "base-uri": [CSP.NONE],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
    "object-src": [CSP.NONE],
}

# Applications

INSTALLED_APPS = [
    "apps.aws_lambda",
    "apps.aws_lambda.tasks.results",
    "apps.documents",
    "apps.health",
    "axes",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "apps.aws_lambda.middleware.RequestIDMiddleware",
    "apps.aws_lambda.middleware.AccessLogMiddleware",
    "apps.aws_lambda.middleware.DeadlineMiddleware",
    "apps.aws_lambda.middleware.ExceptionMiddleware",
    "apps.health.middleware.HealthMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "apps.aws_lambda.middleware.CookiePathMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]
if LOCAL:
    # serverless-offline serves "/dev" and "/" on one host. Cookies of both
    # paths would reach "/dev", and Django takes the last of two.
    MIDDLEWARE.remove("apps.aws_lambda.middleware.CookiePathMiddleware")

# Optional parts: what is off is not imported.

if CORS_ALLOWED_ORIGINS := env("CORS_ALLOWED_ORIGINS"):
    INSTALLED_APPS.append("corsheaders")
    # Before any middleware that may answer by itself.
    MIDDLEWARE.insert(5, "corsheaders.middleware.CorsMiddleware")

if ADMIN_DOCS := env("ADMIN_DOCS"):
    INSTALLED_APPS.append("django.contrib.admindocs")

if DEBUG_TOOLBAR := LOCAL and env("DEBUG_TOOLBAR"):
    INSTALLED_APPS.append("debug_toolbar")
    MIDDLEWARE.insert(5, "debug_toolbar.middleware.DebugToolbarMiddleware")
    INTERNAL_IPS = ["127.0.0.1", "::1"]

if env("LAMBDA_TRACING"):
    # Right after the access log.
    MIDDLEWARE.insert(2, "apps.aws_lambda.middleware.TracingMiddleware")

ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "project" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.csp",
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Database
# https://docs.djangoproject.com/en/6.1/ref/databases/#persistent-connections
#
# An execution environment serves one request at a time, so one connection is
# all it can use. Pooling is left to RDS Proxy: a pool here would sit idle, and
# its threads freeze with us. The profiles hold what that means for each option.

DATABASES = {
    "default": configure(
        env.db("DATABASE_URL", default=f"sqlite:///{BASE_DIR / 'db.sqlite3'}"),
        profile=env("LAMBDA_DATABASE_PROFILE"),
        aws_iam_auth=env("LAMBDA_DATABASE_IAM_AUTH"),
        local=LOCAL,
    )
}

# Sessions and cache
# https://docs.djangoproject.com/en/6.1/topics/cache/
#
# Both are in the database: it is the one store that all environments share, and
# it is there anyway. Memory of a process would be a cache per environment, each
# with its own idea of the truth. `manage.py createcachetable` makes the table.

SESSION_ENGINE = "django.contrib.sessions.backends.db"
CACHES = {"default": env.cache("CACHE_URL")}

# Logins
# https://django-axes.readthedocs.io/
#
# Failures are counted in the database, which all environments share, by name and
# address together: nobody can lock another out from elsewhere.

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AXES_FAILURE_LIMIT = env("LOGIN_FAILURE_LIMIT")
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_CALLABLE = "apps.aws_lambda.views.too_many_attempts"
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False

# Background tasks
# https://docs.djangoproject.com/en/6.1/topics/tasks/ and docs/tasks.md

TASKS: dict[str, Any] = {
    "default": {"BACKEND": "django.tasks.backends.immediate.ImmediateBackend"}
}
if TASK_QUEUE_URL := env("TASK_QUEUE_URL"):
    TASKS["default"] = {
        "BACKEND": "apps.aws_lambda.tasks.backend.SQSBackend",
        "OPTIONS": {"URLS": {"default": TASK_QUEUE_URL}, "RESULTS": True},
    }

# Passwords
# https://docs.djangoproject.com/en/6.1/ref/settings/#auth-password-validators

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# Internationalisation

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"

# Files
# https://docs.djangoproject.com/en/6.1/howto/static-files/

STATIC_URL = "static/"
STATIC_ROOT = env("STATIC_ROOT")
# It looks at PATH_INFO, which never has the stage in it.
WHITENOISE_STATIC_PREFIX = "/static/"
MEDIA_URL = "media/"
MEDIA_ROOT = env("MEDIA_ROOT")
STORAGES: dict[str, Any] = {
    "default": {"BACKEND": "apps.aws_lambda.storage.PrefixedFileSystemStorage"},
    "staticfiles": {"BACKEND": "apps.aws_lambda.storage.PrefixedStaticFilesStorage"},
}

if MEDIA_BUCKET := env("MEDIA_BUCKET"):
    # https://django-storages.readthedocs.io/en/latest/backends/amazon-S3.html
    # The bucket is private: links are signed, and good for an hour.
    STORAGES["default"] = {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": MEDIA_BUCKET,
            "file_overwrite": False,
            # As in the inbox: an uploaded page must not run as one of ours.
            "object_parameters": {"ContentDisposition": "attachment"},
        },
    }

# A body is in memory already when the handler is called, so its files stay
# there, whole: 6 MB is the most that Lambda accepts.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
FILE_UPLOAD_MAX_MEMORY_SIZE = 6 * 1024 * 1024
if not LOCAL:
    # runserver takes larger files, for which this handler alone is none.
    FILE_UPLOAD_HANDLERS = [
        "django.core.files.uploadhandler.MemoryFileUploadHandler",
    ]

# Logging
# https://docs.djangoproject.com/en/6.1/ref/logging/

# On Lambda each line is a JSON object; locally it is for reading.

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {"()": "apps.aws_lambda.observability.formatters.JSONFormatter"},
        "line": {
            "()": "apps.aws_lambda.observability.formatters.LineFormatter",
            "format": "{levelname} {request_id} {name} {message}",
            "style": "{",
        },
    },
    "handlers": {
        "stdout": {
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stdout",
            "formatter": "line" if LOCAL else "json",
        }
    },
    "root": {
        "handlers": ["stdout"],
        "level": env("LOG_LEVEL") or env("AWS_LAMBDA_LOG_LEVEL"),
    },
    # Replace Django's own handlers, which write to standard error or send mail, and
    # its own level, which would write more than was asked for.
    "loggers": {"django": {"handlers": [], "level": "NOTSET", "propagate": True}},
}

# The formatter reads them from the environment, where nothing stops a wrong one.
env("LAMBDA_METRICS_NAMESPACE")
env("LAMBDA_METRICS_DIMENSIONS")

# AWS Lambda

LAMBDA_BASE_PATH = env("LAMBDA_BASE_PATH") or public.path
LAMBDA_URL_SCHEME = env("LAMBDA_URL_SCHEME")
LAMBDA_TRUSTED_PROXIES = env("LAMBDA_TRUSTED_PROXIES")
LAMBDA_WARM_UP_PATHS = ["/", "/admin/login/"]
LAMBDA_WARM_UP_DATABASE = env("LAMBDA_WARM_UP_DATABASE")
LAMBDA_DEADLINE_MARGIN = env("LAMBDA_DEADLINE_MARGIN")
LAMBDA_FUNCTION_TIMEOUT = env("LAMBDA_FUNCTION_TIMEOUT")
LAMBDA_GATEWAY_TIMEOUT = env("LAMBDA_GATEWAY_TIMEOUT")
LAMBDA_RESERVED_CONCURRENCY = env("LAMBDA_RESERVED_CONCURRENCY")
LAMBDA_DATABASE_MAX_CONNECTIONS = env("LAMBDA_DATABASE_MAX_CONNECTIONS")
LAMBDA_TRACING = env("LAMBDA_TRACING")

# What schedules and operators may run, besides requests (docs/commands.md).
LAMBDA_SCHEDULED_COMMANDS = [
    ["clearsessions"],
    ["prune_task_results"],
]
LAMBDA_REMOTE_COMMANDS = [
    "axes_reset_username",
    "check",
    "clearsessions",
    "createcachetable",
    "createsuperuser",
    "lambda_database_setup",
    "migrate",
    "prune_task_results",
    "showmigrations",
]
# As serverless.yml names it.
LAMBDA_MANAGE_FUNCTION = "django-on-lambda-{stage}-manage"

# Tests: `manage.py test` runs pytest, because Django's own runner does not find
# tests that are functions.

TEST_RUNNER = "tests.runner.PytestRunner"
