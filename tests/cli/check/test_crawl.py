"""The crawl: all pages of the site on Lambda, and of the site without it."""

import re

import pytest

from tests.cli.check.conftest import MakeSite, Outcome, Site

# The site on Lambda with one fault of each kind.
FAULTS = """
from django.http import HttpResponse, HttpResponseNotFound, JsonResponse
from django.urls import path
from django.views.generic import RedirectView

from .urls import urlpatterns as own


def fail(request):
    raise TimeoutError("no route to the warehouse")


urlpatterns = [
    path("about/", lambda request: HttpResponseNotFound("Gone")),
    path("feed/", lambda request: JsonResponse({})),
    path("old/", RedirectView.as_view(url="/visits/")),
    path("visits/", fail),
    path("legacy/", RedirectView.as_view(url="/")),
    *(pattern for pattern in own if "lost" not in str(pattern.pattern)),
]
"""

SLOW = """
import os
import time


def slow(request):
    time.sleep(600)


def leave(request):
    os._exit(3)


urlpatterns += [
    path("slow/", slow),
    path("leave/", leave),
    path("legacy/", views.about),
    path("lost/", views.visits),
]
"""

USERS = """
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models


class Team(models.Model):
    name = models.CharField(max_length=9)
    founded = models.DateField()


class Users(BaseUserManager):
    def create_superuser(self, badge, password, *, born, team, email, shift):
        if not password:
            raise ValueError("A password is required")
        user = self.model(
            badge=badge, born=born, team=team, email=email, shift=shift,
            is_superuser=True,
        )
        user.set_password(password)
        user.save()
        return user


class User(AbstractBaseUser, PermissionsMixin):
    badge = models.UUIDField(primary_key=True)
    born = models.DateField()
    email = models.EmailField()
    shift = models.CharField(max_length=1, choices=[("d", "Day"), ("n", "Night")])
    team = models.ForeignKey(Team, models.CASCADE)
    USERNAME_FIELD = "badge"
    REQUIRED_FIELDS = ["born", "team", "email", "shift"]
    objects = Users()
    is_staff = True
"""

ABOUT_ME = """
def about(request):
    if request.user.is_authenticated:
        raise LookupError(f"{request.user.shift} on {request.user.team.founded}")
"""


@pytest.fixture(scope="module")
def clean(make_site: MakeSite) -> Outcome:
    return make_site("clean").check("--crawl")


@pytest.fixture(scope="module")
def faulty(make_site: MakeSite) -> Outcome:
    site = make_site("faulty")
    site.write("shop/faults.py", FAULTS)
    site.append("shop/urls.py", SLOW)
    site.append(
        "shop/lambda_settings.py",
        "ROOT_URLCONF = 'shop.faults'\n"
        "STATICFILES_FINDERS = "
        "['django.contrib.staticfiles.finders.FileSystemFinder']\n",
    )
    return site.check("--crawl", "--timeout", "2", "--ignore", "/leg*")


@pytest.fixture(scope="module")
def hard_coded_site(make_site: MakeSite) -> Site:
    """A site for the root of a host: no stage changes four of its links."""
    site = make_site("hard-coded")
    site.append(
        "shop/templates/shop/home.html",
        '<a href="/about/">About</a><form method="post" action="/orders/"></form>',
    )
    site.append("shop/views.py", "def about(request): return HttpResponse('We')\n")
    site.append(
        "shop/lambda_settings.py",
        "STORAGES = {\n"
        "    'default': {'BACKEND': 'django.core.files.storage.InMemoryStorage'},\n"
        "    'staticfiles': {\n"
        "        'BACKEND': 'django_on_lambda.storage.PrefixedStaticFilesStorage'\n"
        "    },\n"
        "}\n"
        "WHITENOISE_STATIC_PREFIX = '/static/'\n",
    )
    site.replace("shop/settings.py", '"/admin/login/"', '"admin:login"')
    return site


def test_a_site_without_changes_has_no_differences(clean: Outcome):
    assert clean.status == 0, clean.text
    assert re.search(r"(\d+) requests: \1 equal, 0 different, 0 ignored", clean.text)
    assert "No problems. Next:" in clean.text


def test_links_are_followed_two_deep(clean: Outcome):
    # /about/ links to number 3, which links to 4; and to 11, from there to 12 and 13.
    assert "Fails on both sites: /products/4/: LookupError: number 4" in clean.text
    assert "/products/13/" not in clean.text


def test_a_page_that_raises_on_both_sides_is_equal_and_named(clean: Outcome):
    assert (
        "Fails on both sites: /broken/: LookupError: no such shelf (shop/views.py:"
        in clean.text
    )


def test_pages_that_end_the_session_are_not_requested(clean: Outcome):
    assert "The same as a superuser" in clean.text
    assert "sign-out" not in clean.text


def test_another_status_is_a_difference(faulty: Outcome):
    assert faulty.status == 1, faulty.text
    assert "status 200, on Lambda 404\n    /about/, " in faulty.text


def test_a_url_that_only_the_site_without_lambda_has_is_a_difference(faulty: Outcome):
    assert "status 200, on Lambda 404\n    /about/, /lost/\n" in faulty.text


def test_another_location_is_a_difference(faulty: Outcome):
    assert "Location /about/, on Lambda /visits/\n    /old/\n" in faulty.text


def test_another_content_type_is_a_difference(faulty: Outcome):
    assert (
        "content type application/atom+xml, on Lambda application/json\n    /feed/"
        in faulty.text
    )


def test_an_exception_on_lambda_is_the_reason(faulty: Outcome):
    assert (
        "status 200, on Lambda 500: TimeoutError: no route to the warehouse "
        "(shop/faults.py:" in faulty.text
    )


def test_a_missing_asset_is_a_difference(faulty: Outcome):
    assert (
        "missing asset, status 404: collectstatic with the settings for Lambda does "
        "not collect it. It is on /\n    /static/shop/shop.css (static files)"
        in faulty.text
    )


def test_pages_without_an_answer_are_named_and_the_crawl_continues(faulty: Outcome):
    assert "Fails on both sites: /slow/: no answer in 2 s" in faulty.text
    assert "/leave/: the process ended with exit status 3" in faulty.text
    assert "The same as a superuser" in faulty.text


def test_ignored_differences_are_counted_only(faulty: Outcome):
    assert "/legacy/" not in faulty.text
    assert re.search(r"\d+ different, 2 ignored", faulty.text)


def test_links_out_of_a_stage_are_reported(hard_coded_site: Site):
    outcome = hard_coded_site.check("--crawl", "--event-source", "rest_stage")

    assert outcome.status == 1, outcome.text
    assert "link out of /prod to /about/\n    /\n" in outcome.text
    assert "link out of /prod to /orders/" in outcome.text
    assert "Links out of /prod: 4, on 1 pages. Serve the site at the r" in outcome.text
    assert "2 different" in outcome.text


def test_the_same_site_has_no_differences_at_the_root_of_a_host(hard_coded_site: Site):
    outcome = hard_coded_site.check("--crawl")

    assert outcome.status == 0, outcome.text


def test_the_limit_is_reported(site: Site):
    outcome = site.check("--crawl", "--limit", "3")

    assert re.search(r"\d+ more pages were not requested. Raise --limit", outcome.text)


def test_a_superuser_of_another_model_visits_the_admin(site: Site):
    site.write("shop/models.py", USERS)
    site.append("shop/settings.py", "AUTH_USER_MODEL = 'shop.User'\n")
    site.replace("shop/views.py", "def about(request):\n", ABOUT_ME)

    outcome = site.check("--crawl")

    assert outcome.status == 0, outcome.text
    assert "Fails on both sites: /about/: LookupError: d on 2000-01-01" in outcome.text


def test_a_site_without_users_is_visited_as_anonymous(site: Site):
    for name in ("admin", "auth", "contenttypes", "messages", "sessions"):
        site.replace("shop/settings.py", f'    "django.contrib.{name}",\n', "")
    for name in ("sessions.middleware.S", "messages.middleware.M", "auth.middleware.A"):
        start = f'    "django.contrib.{name}'
        text = (site.root / "shop" / "settings.py").read_text()
        [line] = [line for line in text.splitlines() if line.startswith(start)]
        site.replace("shop/settings.py", f"{line}\n", "")
    site.append("shop/settings.py", "TEMPLATES[0].pop('OPTIONS')\nLOGIN_URL = '/'\n")
    site.replace("shop/urls.py", "from django.contrib import admin\n", "")
    site.replace("shop/urls.py", '    path("admin/", admin.site.urls),\n', "")
    site.replace("shop/views.py", "from django.contrib.auth.models import Group\n", "")

    outcome = site.check("--crawl")

    assert outcome.status == 0, outcome.text
    assert "The site has no users" in outcome.text
    assert "The same as a superuser" not in outcome.text


def test_a_superuser_that_cannot_be_created_is_a_problem(site: Site):
    refusing = USERS.replace("if not password", "if password")
    site.write("shop/models.py", refusing)
    site.append("shop/settings.py", "AUTH_USER_MODEL = 'shop.User'\n")

    outcome = site.check("--crawl")

    assert outcome.status == 1, outcome.text
    assert "shop.User has no superuser, and create_superuser() with badge, born" in (
        outcome.text
    )
    assert "failed: ValueError: A password is required (shop/models.py:" in outcome.text


def test_urls_for_developers_are_not_compared(site: Site):
    site.append("shop/settings.py", "DEBUG = True\n")
    site.append("shop/lambda_settings.py", "DEBUG = False\n")
    site.append(
        "shop/urls.py",
        "from django.conf import settings\n"
        "if settings.DEBUG: urlpatterns.append(path('toolbar/', views.feed))\n",
    )

    outcome = site.check("--crawl")

    assert outcome.status == 0, outcome.text


def test_only_the_settings_for_lambda_have_a_secret_key(site: Site):
    site.replace("shop/settings.py", "SECRET_KEY = ", "NO_KEY = ")
    site.append("shop/lambda_settings.py", "SECRET_KEY = os.environ['SECRET_KEY']\n")
    site.append("django-on-lambda.toml", '[stand-ins]\nSECRET_KEY = "anything"\n')

    outcome = site.check("--crawl")

    assert outcome.status == 0, outcome.text
