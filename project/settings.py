"""
Django settings: one file, in which stages differ by environment only.

The environment table below is the documentation of every variable. A stage is
"local" on a developer's machine and anything else on Lambda.
"""

from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent

# Environment
# https://django-environ.readthedocs.io/
#
# variable=(type, default). `.env` is read for local work; it is never deployed,
# and a variable that is already set wins over it.

env = environ.Env(
    # Where this runs. "local" allows plain HTTP and a public secret key.
    STAGE=(str, "local"),
    # Django's debug pages. They show settings and source: never in public.
    DEBUG=(bool, False),
    # Signs sessions and tokens. Required outside the local stage.
    SECRET_KEY=(str, ""),
    # The host names the site answers to. Required outside the local stage.
    ALLOWED_HOSTS=(list, []),
    # Full origins ("https://example.com") from which forms may be sent, when
    # they differ from the host that serves the form.
    CSRF_TRUSTED_ORIGINS=(list, []),
    # postgres://user:password@host:5432/name, or the SQLite file by default.
    DATABASE_URL=(str, f"sqlite:///{BASE_DIR / 'db.sqlite3'}"),
    # Where uploaded files are kept.
    MEDIA_ROOT=(str, str(BASE_DIR / "media")),
    # Where collectstatic puts static files, and WhiteNoise finds them.
    STATIC_ROOT=(str, str(BASE_DIR / "staticfiles")),
    # The least severe log level that is written.
    LOG_LEVEL=(str, "INFO"),
    # The public path of a mapped custom domain, "/shop", which no event holds.
    LAMBDA_BASE_PATH=(str, ""),
    # "http" under serverless-offline only; a gateway always speaks https.
    LAMBDA_URL_SCHEME=(str, "https"),
    # Proxies that append to X-Forwarded-For before an Application Load
    # Balancer hands the request over, the balancer included.
    LAMBDA_TRUSTED_PROXIES=(int, 1),
)
env.read_env(env.str("ENV_FILE", default=str(BASE_DIR / ".env")))

STAGE = env("STAGE")
LOCAL = STAGE == "local"
DEBUG = env("DEBUG")

# Security
# https://docs.djangoproject.com/en/6.1/topics/security/

if LOCAL:
    SECRET_KEY = env("SECRET_KEY") or "local-only-" + "not-a-secret-" * 4
    ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", *env("ALLOWED_HOSTS")]
else:
    SECRET_KEY = env("SECRET_KEY")
    ALLOWED_HOSTS = env("ALLOWED_HOSTS")
    for required in ("SECRET_KEY", "ALLOWED_HOSTS"):
        if not env(required):
            raise ImproperlyConfigured(
                f"{required} is not set. Every stage but 'local' needs it, and "
                f"STAGE is {STAGE!r}."
            )

CSRF_TRUSTED_ORIGINS = env("CSRF_TRUSTED_ORIGINS")
CSRF_FAILURE_VIEW = "apps.aws_lambda.views.csrf_failure"

# The local stage is plain HTTP. The gateway layer sets the scheme of every
# request, so SECURE_PROXY_SSL_HEADER stays unset: a client could send it.
CSRF_COOKIE_SECURE = not LOCAL
SESSION_COOKIE_SECURE = not LOCAL
SECURE_SSL_REDIRECT = not LOCAL
SECURE_HSTS_SECONDS = 0 if LOCAL else 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = not LOCAL
SECURE_HSTS_PRELOAD = not LOCAL

# Applications

INSTALLED_APPS = [
    "apps.aws_lambda",
    "apps.documents",
    "apps.health",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "apps.aws_lambda.middleware.RequestIDMiddleware",
    "apps.health.middleware.HealthMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "apps.aws_lambda.middleware.CookiePathMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "apps.aws_lambda.middleware.ExceptionMiddleware",
]
if LOCAL:
    # serverless-offline serves "/dev" and "/" on one host. Cookies of both
    # paths would reach "/dev", and Django takes the last of two.
    MIDDLEWARE.remove("apps.aws_lambda.middleware.CookiePathMiddleware")

ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "project" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
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
# all it can use; pooling is left to RDS Proxy. A connection kept over a freeze
# may be dead, and every idle environment would hold one open, so it is closed
# after each request.

DATABASES = {"default": {**env.db("DATABASE_URL"), "CONN_MAX_AGE": 0}}

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
STORAGES = {
    "default": {"BACKEND": "apps.aws_lambda.storage.PrefixedFileSystemStorage"},
    "staticfiles": {"BACKEND": "apps.aws_lambda.storage.PrefixedStaticFilesStorage"},
}

# A body is in memory already when the handler is called, so its files stay
# there. 6 MB is the most that Lambda accepts.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
FILE_UPLOAD_MAX_MEMORY_SIZE = 6 * 1024 * 1024

# Logging
# https://docs.djangoproject.com/en/6.1/ref/logging/

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_id": {"()": "apps.aws_lambda.log.RequestIDFilter"}},
    "formatters": {
        "line": {
            "format": "{levelname} {request_id} {name} {message}",
            "style": "{",
        }
    },
    "handlers": {
        "stdout": {
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stdout",
            "filters": ["request_id"],
            "formatter": "line",
        }
    },
    "root": {"handlers": ["stdout"], "level": env("LOG_LEVEL")},
    # Replace Django's own handlers, which write to standard error or send mail.
    "loggers": {"django": {"handlers": [], "propagate": True}},
}

# AWS Lambda

LAMBDA_BASE_PATH = env("LAMBDA_BASE_PATH")
LAMBDA_URL_SCHEME = env("LAMBDA_URL_SCHEME")
LAMBDA_TRUSTED_PROXIES = env("LAMBDA_TRUSTED_PROXIES")

# Tests: `manage.py test` runs pytest, because Django's own runner does not find
# tests that are functions.

TEST_RUNNER = "tests.runner.PytestRunner"
