"""
Django settings of the site, for all stages.

Stages differ only in environment variables, which project/env.py documents. The
stage "local" is a developer's machine; any other is on Lambda.
"""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.utils.csp import CSP
from environ import Env

from apps.aws_lambda.aws import s3
from apps.aws_lambda.database import configure

from .env import env, require

BASE_DIR = Path(__file__).resolve().parent.parent

# Sets only variables that the environment does not. On Lambda there is no such file.
if (env_file := Path(os.environ.get("ENV_FILE") or BASE_DIR / ".env")).exists():
    Env.read_env(env_file)

STAGE = env("STAGE")
LOCAL = STAGE == "local"
# Lambda sets it, and so does serverless-offline.
IN_FUNCTION = "AWS_LAMBDA_FUNCTION_NAME" in os.environ
DEBUG = env("DEBUG")
DEBUG_TOOLBAR = LOCAL and env("DEBUG_TOOLBAR")
ADMIN_DOCS = env("ADMIN_DOCS")
PUBLIC_URL = env("PUBLIC_URL")
public = urlsplit(PUBLIC_URL)

if not LOCAL:
    require(
        "SECRET_KEY",
        "DATABASE_URL",
        *([] if PUBLIC_URL else ["ALLOWED_HOSTS"]),
        reason=f"Every stage except 'local' requires it, and STAGE is {STAGE!r}.",
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

# The local stage is plain HTTP. SECURE_PROXY_SSL_HEADER is unnecessary: the handler
# takes the scheme from the event.
CSRF_COOKIE_SECURE = not LOCAL
SESSION_COOKIE_SECURE = not LOCAL
SECURE_SSL_REDIRECT = not LOCAL
SECURE_HSTS_SECONDS = 0 if LOCAL else env("SECURE_HSTS_SECONDS")
SECURE_HSTS_INCLUDE_SUBDOMAINS = env("SECURE_HSTS_INCLUDE_SUBDOMAINS")
SECURE_HSTS_PRELOAD = env("SECURE_HSTS_PRELOAD")

# Browsers accept a "__Host-" cookie only over HTTPS, from this host and with
# Path=/, so no subdomain can set one. Stages that share a host need a path each.
if public.scheme == "https" and not public.path:
    CSRF_COOKIE_NAME = "__Host-csrftoken"
    SESSION_COOKIE_NAME = "__Host-sessionid"

SECURE_CSP: dict[str, list[str]] = {
    "default-src": [CSP.SELF],
    "style-src": [CSP.SELF, CSP.NONCE],
    "img-src": [CSP.SELF, "data:"],
    "base-uri": [CSP.NONE],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
    "object-src": [CSP.NONE],
}

# Applications

# In the heading of the home page and of the admin.
SITE_TITLE = "Django on AWS Lambda"

CORS_ALLOWED_ORIGINS = env("CORS_ALLOWED_ORIGINS")
LAMBDA_COMPRESSION = env("LAMBDA_COMPRESSION")
LAMBDA_ORIGIN_SECRET = env("LAMBDA_ORIGIN_SECRET")
LAMBDA_TRACING = env("LAMBDA_TRACING")

INSTALLED_APPS = [
    "apps.accounts",
    "apps.aws_lambda",
    "apps.aws_lambda.tasks.results",
    "apps.aws_lambda.uploads",
    "apps.documents",
    "apps.health",
    "axes",
    *(["corsheaders"] if CORS_ALLOWED_ORIGINS else []),
    *(["debug_toolbar"] if DEBUG_TOOLBAR else []),
    "django.contrib.admin",
    *(["django.contrib.admindocs"] if ADMIN_DOCS else []),
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework.authtoken",
]

MIDDLEWARE = [
    "apps.aws_lambda.middleware.RequestIDMiddleware",
    "apps.aws_lambda.middleware.AccessLogMiddleware",
    *(["apps.aws_lambda.middleware.TracingMiddleware"] if LAMBDA_TRACING else []),
    "apps.aws_lambda.middleware.DeadlineMiddleware",
    *(
        ["apps.aws_lambda.middleware.CompressionMiddleware"]
        if LAMBDA_COMPRESSION
        else []
    ),
    "apps.aws_lambda.middleware.ExceptionMiddleware",
    *(
        ["apps.aws_lambda.middleware.OriginSecretMiddleware"]
        if LAMBDA_ORIGIN_SECRET
        else []
    ),
    "apps.health.middleware.HealthMiddleware",
    *(["debug_toolbar.middleware.DebugToolbarMiddleware"] if DEBUG_TOOLBAR else []),
    *(["corsheaders.middleware.CorsMiddleware"] if CORS_ALLOWED_ORIGINS else []),
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "apps.aws_lambda.whitenoise.WhiteNoiseMiddleware",
    # serverless-offline serves "/" and "/dev" on one host: cookies of both paths would
    # reach "/dev".
    *([] if LOCAL else ["apps.aws_lambda.middleware.CookiePathMiddleware"]),
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
    "apps.aws_lambda.middleware.UploadMiddleware",
]

# For the debug toolbar.
INTERNAL_IPS = ["127.0.0.1", "::1"] if DEBUG_TOOLBAR else []

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

DATABASES = {
    "default": configure(
        Env.db_url_config(
            # A transaction waits for its turn when it begins. If it has read already,
            # SQLite lets it fail when it writes.
            env("DATABASE_URL")
            or f"sqlite:///{BASE_DIR / 'db.sqlite3'}?transaction_mode=IMMEDIATE"
        ),
        profile=env("LAMBDA_DATABASE_PROFILE"),
        aws_iam_auth=env("LAMBDA_DATABASE_IAM_AUTH"),
        local=LOCAL,
    )
}

# Sessions and cache
# https://docs.djangoproject.com/en/6.1/topics/cache/
#
# All execution environments share the database, and none shares its memory.
# `manage.py createcachetable` creates the table.

SESSION_ENGINE = "django.contrib.sessions.backends.db"
CACHES = {"default": Env.cache_url_config(env("CACHE_URL"))}

# Users
# https://docs.djangoproject.com/en/6.1/topics/auth/customizing/#substituting-a-custom-user-model

AUTH_USER_MODEL = "accounts.User"
LOGIN_URL = "login"

# Logins
# https://django-axes.readthedocs.io/
#
# Failures are counted in the database, by user name and IP address together, so
# that one attacker does not lock a user out elsewhere, and with higher limits by each
# of the two alone, which takes ten networks (project/logins.py).

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AXES_FAILURE_LIMIT = env("LOGIN_FAILURE_LIMIT")
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_HANDLER = "project.logins.LoginHandler"
AXES_CLIENT_IP_CALLABLE = "project.logins.client_network"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"], "username", "ip_address"]
# Otherwise an attempt that was refused would count, and one address could exhaust the
# limit of a name.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
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

# E-mail
# https://docs.djangoproject.com/en/6.1/topics/email/ and docs/operate.md

MAILERS: dict[str, Any] = {
    "default": {"BACKEND": "django.core.mail.backends.console.EmailBackend"}
}
if MAIL_FROM := env("MAIL_FROM"):
    DEFAULT_FROM_EMAIL = SERVER_EMAIL = MAIL_FROM
    MAILERS["default"] = {"BACKEND": "apps.aws_lambda.mail.SESBackend"}
elif LAMBDA_EMAIL_FOLDER := env("LAMBDA_EMAIL_FOLDER"):
    # `make run` shows what is there, and what its local SES gets.
    MAILERS["default"] = {
        "BACKEND": "django.core.mail.backends.filebased.EmailBackend",
        "OPTIONS": {"file_path": LAMBDA_EMAIL_FOLDER},
    }
elif not LOCAL:
    # Fails, and a check reports it. The console would print links with tokens.
    MAILERS["default"] = {
        "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "OPTIONS": {"host": "localhost"},
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
# The package has the translations into these only, of all that Django has.
LANGUAGES = [("en", "English")]
TIME_ZONE = "UTC"

# Files
# https://docs.djangoproject.com/en/6.1/howto/static-files/

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / env("STATIC_ROOT")
# WhiteNoise compares it with PATH_INFO, which never contains the stage.
WHITENOISE_STATIC_PREFIX = "/static/"
MEDIA_URL = "media/"
MEDIA_ROOT = BASE_DIR / env("MEDIA_ROOT")
STORAGES: dict[str, Any] = {
    "default": {"BACKEND": "apps.aws_lambda.storage.PrefixedFileSystemStorage"},
    "staticfiles": {"BACKEND": "apps.aws_lambda.storage.PrefixedStaticFilesStorage"},
}

if MEDIA_BUCKET := env("MEDIA_BUCKET"):
    # The bucket is private: links are signed and expire after an hour.
    STORAGES["default"] = {
        "BACKEND": "apps.aws_lambda.media.S3Storage",
        "OPTIONS": {
            "bucket_name": MEDIA_BUCKET,
            # A browser must not render an uploaded page as one of the site's.
            "object_parameters": {"ContentDisposition": "attachment"},
        },
    }
    # Pages may show its files. A link needs no permission.
    bucket_origin = s3.origin(os.environ, MEDIA_BUCKET)
    SECURE_CSP["img-src"] = [*SECURE_CSP["img-src"], bucket_origin]
    SECURE_CSP["media-src"] = [CSP.SELF, bucket_origin]
    # The browser sends files straight to the bucket.
    SECURE_CSP["connect-src"] = [CSP.SELF, bucket_origin]

# How the inbox sends a file, and an export: by a redirect to the bucket.
DOCUMENTS_FILE_RESPONSE = "apps.aws_lambda.downloads.file_response"
DOCUMENTS_EXPORT_DECORATOR = "apps.aws_lambda.downloads.through_bucket"

# Lambda accepts 6 MB, which are in memory when the handler is called.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
FILE_UPLOAD_MAX_MEMORY_SIZE = 6 * 1024 * 1024
if not LOCAL:
    # Alone, it drops larger files, which runserver accepts.
    FILE_UPLOAD_HANDLERS = [
        "django.core.files.uploadhandler.MemoryFileUploadHandler",
    ]

# The JSON API
# https://www.django-rest-framework.org/api-guide/settings/ and docs/api.md

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "project.api.authentication.BearerAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": [
        "project.api.parsers.JSONParser",
    ],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "EXCEPTION_HANDLER": "project.api.errors.handle",
    "NON_FIELD_ERRORS_KEY": "detail",
    # An error may repeat half of a surrogate pair, which UTF-8 does not have.
    "UNICODE_JSON": False,
    # drf-spectacular has one in development: project/api/schema.py.
    "DEFAULT_SCHEMA_CLASS": None,
}

# Logging
# https://docs.djangoproject.com/en/6.1/ref/logging/

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": "apps.aws_lambda.observability.formatters.JSONFormatter",
            "metrics_namespace": env("LAMBDA_METRICS_NAMESPACE"),
            "metrics_dimensions": env("LAMBDA_METRICS_DIMENSIONS"),
        },
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
            # `make run` makes the lines of the functions legible.
            "formatter": "line" if LOCAL and not IN_FUNCTION else "json",
        }
    },
    "root": {
        "handlers": ["stdout"],
        "level": env("LOG_LEVEL") or env("AWS_LAMBDA_LOG_LEVEL"),
    },
    # Remove Django's handlers, which write to standard error and send mail, and its
    # level, which overrides the root's.
    "loggers": {"django": {"handlers": [], "level": "NOTSET", "propagate": True}},
}

# AWS Lambda

LAMBDA_BASE_PATH = env("LAMBDA_BASE_PATH") or public.path
LAMBDA_URL_SCHEME = env("LAMBDA_URL_SCHEME")
LAMBDA_TRUSTED_PROXIES = env("LAMBDA_TRUSTED_PROXIES")
LAMBDA_WARM_UP_PATHS = ["/", "/admin/login/"]
LAMBDA_WARM_UP_DATABASE = env("LAMBDA_WARM_UP_DATABASE")
LAMBDA_DEADLINE_MARGIN = env("LAMBDA_DEADLINE_MARGIN")
LAMBDA_STREAMING = env("LAMBDA_STREAMING")
LAMBDA_TASK_BACKOFF = env("LAMBDA_TASK_BACKOFF")

# What schedules and `manage.py remote` may run (docs/commands.md).
LAMBDA_SCHEDULED_COMMANDS = [
    ["clearsessions"],
    ["prune_task_results"],
    ["purge_uploads"],
    ["send_digest"],
]
LAMBDA_REMOTE_COMMANDS = [
    "axes_reset_ip",
    "axes_reset_username",
    "check",
    "clearsessions",
    "createcachetable",
    "createsuperuser",
    "lambda_database_password",
    "lambda_database_setup",
    "lambda_diagnose",
    "migrate",
    "prune_task_results",
    "purge_uploads",
    "send_digest",
    "sendtestemail",
    "showmigrations",
]
# The name of the function in serverless.yml.
LAMBDA_MANAGE_FUNCTION = "django-on-lambda-{stage}-manage"

# Tests: Django's own runner does not find tests that are functions.

TEST_RUNNER = "tests.runner.PytestRunner"
