"""
A project in which Django's `check --deploy` reports nothing.

Each of these settings is used by real projects, and causes problems on Lambda.
"""

INSTALLED_APPS = [
    "apps.aws_lambda",
    "apps.aws_lambda.uploads",  # without its middleware (E024)
    "apps.documents",
    "corsheaders",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]

# WhiteNoise's own (W017), too late (W011), and neither RequestIDMiddleware nor
# CookiePathMiddleware (W010). ExceptionMiddleware, but errors outside of views are
# Django's pages (W012).
MIDDLEWARE = [
    "apps.aws_lambda.middleware.ExceptionMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

# WSGI_APPLICATION is not set, and tests/aws_lambda/wsgi.py has more than Django's
# (W015). lambda_entry.py names other settings (W014).
ROOT_URLCONF = "tests.aws_lambda.weak_urls"

# Required by Django's checks.
SECRET_KEY = "long-and-varied-enough-for-django-0123456789-and-no-secret"
SECURE_SSL_REDIRECT = True
SECURE_HSTS_SECONDS = 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
X_FRAME_OPTIONS = "DENY"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

ALLOWED_HOSTS = ["*"]  # E005
USE_X_FORWARDED_HOST = True  # E006
CSRF_TRUSTED_ORIGINS = ["https://*.example.com", "http://example.com"]  # E008, E009
CORS_ALLOW_ALL_ORIGINS = True  # E007
CORS_ALLOW_CREDENTIALS = True

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": "db.example.com",
        "NAME": "site",
        "CONN_MAX_AGE": 600,  # E002
        # No timeouts (W001, W002).
        "OPTIONS": {"pool": True, "sslmode": "require"},  # E001, E003
    }
}

# Local memory (W005). It stores the sessions (E011) and the counts of the throttle
# (E012). The library of the other is not installed (E022).
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "LOCATION": "throttle",
    },
    "pages": {"BACKEND": "django.core.cache.backends.redis.RedisCache"},
}
SESSION_ENGINE = "django.contrib.sessions.backends.cache"
REST_FRAMEWORK = {"DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.Throttle"]}

# STORAGES and FILE_UPLOAD_HANDLERS are Django's defaults: local files (E013), and
# static files without hashed names, which browsers keep for a day (W008). There is no
# STATIC_ROOT (E020).
WHITENOISE_MAX_AGE = 86_400
STATIC_URL = "/static/"  # W009
DATA_UPLOAD_MAX_MEMORY_SIZE = None  # W007

LAMBDA_BASE_PATH = "/shop"
LOGIN_URL = "/login/"  # W013
LAMBDA_TRUSTED_PROXIES = 0  # E016
LAMBDA_ORIGIN_SECRET = "long-and-varied-enough-but-not-demanded"  # E018

# No queue URL, and no table for results (E017).
TASKS = {
    "default": {
        "BACKEND": "apps.aws_lambda.tasks.backend.SQSBackend",
        "OPTIONS": {"RESULTS": True},
    }
}

# By a server on this machine, Django's default (W016).
MANAGERS = ["managers@example.com"]
