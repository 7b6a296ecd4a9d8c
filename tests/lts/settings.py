"""Another project, on Django 5.2, that has adopted the app."""

import tempfile

SECRET_KEY = "only-for-tests"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "tests.aws_lambda.urls"
INSTALLED_APPS = [
    "apps.aws_lambda",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "apps.aws_lambda.middleware.RequestIDMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "apps.aws_lambda.whitenoise.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "apps.aws_lambda.middleware.ExceptionMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
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
# A file: Django does not close a database in memory, nor end its transaction.
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "TEST": {"NAME": f"{tempfile.mkdtemp()}/db.sqlite3"},
    }
}
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = tempfile.mkdtemp()
MEDIA_URL = "media/"
STORAGES = {
    "default": {"BACKEND": "apps.aws_lambda.storage.PrefixedFileSystemStorage"},
    "staticfiles": {"BACKEND": "apps.aws_lambda.storage.PrefixedStaticFilesStorage"},
}
WHITENOISE_STATIC_PREFIX = "/static/"
CSRF_FAILURE_VIEW = "apps.aws_lambda.views.csrf_failure"
