"""Static files without a scan: the same answers as WhiteNoise's own middleware."""

import gzip
import inspect
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.files.storage import storages
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st
from whitenoise import middleware as original

from apps.aws_lambda.whitenoise import WhiteNoiseMiddleware
from tests.services import install

Headers = dict[str, str]
Answer = tuple[int, list[tuple[str, str]], bytes]

HASHED = "admin/css/site.0123456789ab.css"
PLAIN = "django.contrib.staticfiles.storage.StaticFilesStorage"
MANIFEST = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"

FILES = {
    HASHED: b"body { color: red }" * 99,
    f"{HASHED}.gz": gzip.compress(b"body { color: red }" * 99),
    f"{HASHED}.br": b"not really brotli",
    # A hash of another content than the manifest's.
    "admin/css/site.ba9876543210.css": b"body {}",
    "admin/css/site.css": b"body { color: red }" * 99,
    "admin/img/dot.svg": b"<svg/>",
    # Larger than the original, so that it is never chosen.
    "admin/img/dot.svg.gz": b"<svg/> as gzip would have it",
    "admin/js/a b%20c?d#e.js": b"1",
    "admin/js/jquery.min.js": b"2",
    "admin/js/\u00e9\u6f22\U0001f600.js": b"3",
    "admin/js/line\nbreak.js": b"4",
    "app/index.html": b"<p>index</p>",
    "app/sub/index.html": b"<p>sub</p>",
    "archive.gz": b"without an original",
    "folder.css/readme": b"below a folder with a suffix",
    "folder.css.gz": b"beside a folder",
    ".hidden": b"hidden",
    "...": b"dots",
    "empty.txt": b"",
    "index.html": b"<p>root</p>",
    "no-suffix": b"?",
    "top.js": b"let a = 1",
}


def write_files(root: Path) -> Path:
    """Write the files, links to a file and a folder, and a manifest of one file."""
    for name, content in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (1_700_000_000, 1_700_000_000))
    # What WhiteNoise takes for a file system without times.
    os.utime(root / "top.js", (0, 0))
    (root / "linked.css").symlink_to(HASHED)
    (root / "linked").symlink_to("admin")
    manifest = {"version": "1.1", "paths": {"admin/css/site.css": HASHED}, "hash": ""}
    (root / "staticfiles.json").write_text(json.dumps(manifest))
    return root


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("static")
    (folder / "outside.txt").write_text("outside")
    (folder / "files-too").mkdir()
    (folder / "files-too" / "x.css").write_text("begins with the name of the folder")
    other = folder / "other"
    for name in ("robots.txt", "static/top.js", "static/app", "app/index.html"):
        (other / name).parent.mkdir(parents=True, exist_ok=True)
        (other / name).write_text(f"other {name}")
    (folder / "third").mkdir()
    (folder / "third" / "top.js").write_text("third")
    return write_files(folder / "files")


def add_headers(headers: Any, path: str, url: str) -> None:
    # It is called for files only: a folder cannot be read.
    headers["X-File"] = f"{len(Path(path).read_bytes())} {os.path.basename(url)!r}"
    if url.endswith(".svg"):
        headers["Cache-Control"] = "no-store"
        headers["ETag"] = '"of the site"'


# The settings of a site that change what WhiteNoise answers.
SITES: dict[str, dict[str, Any]] = {
    "relative URL": {"STATIC_URL": "static/"},
    "absolute URL": {},
    "URL of another host": {"STATIC_URL": "https://cdn.example.com/static/"},
    "URL is the root": {"STATIC_URL": "/"},
    "URL of two parts": {"STATIC_URL": "/a/static/"},
    "script name": {"STATIC_URL": "/shop/static/", "FORCE_SCRIPT_NAME": "/shop"},
    "prefix": {"STATIC_URL": "/prod/static/", "WHITENOISE_STATIC_PREFIX": "static"},
    "no folder": {"STATIC_ROOT": None},
    "without hashes": {"BACKEND": PLAIN},
    "root": {"WHITENOISE_ROOT": "other"},
    "root and index": {"WHITENOISE_ROOT": "other", "WHITENOISE_INDEX_FILE": True},
    "index": {"WHITENOISE_INDEX_FILE": True},
    "own index": {"WHITENOISE_INDEX_FILE": "sub/index.html"},
    "no age": {"WHITENOISE_MAX_AGE": None},
    "long age": {"WHITENOISE_MAX_AGE": 3600},
    "own origin only": {"WHITENOISE_ALLOW_ALL_ORIGINS": False},
    "charset": {"WHITENOISE_CHARSET": "latin-1"},
    "media types": {"WHITENOISE_MIMETYPES": {".js": "text/x-js", "...": "a/dots"}},
    "headers": {"WHITENOISE_ADD_HEADERS_FUNCTION": add_headers},
    "headers and index": {
        "WHITENOISE_ADD_HEADERS_FUNCTION": add_headers,
        "WHITENOISE_INDEX_FILE": True,
    },
    "own test": {"WHITENOISE_IMMUTABLE_FILE_TEST": r"s(ite)?\."},
    "refreshed": {"WHITENOISE_AUTOREFRESH": True},
    "finders": {"WHITENOISE_USE_FINDERS": True},
}


class Pair:
    """The original and the new middleware with the same settings, and a base class."""

    def __init__(self, root: Path, site: dict[str, Any], mixin: type = object) -> None:
        values = {
            "DEBUG": False,
            "STATIC_ROOT": str(root),
            "STATIC_URL": "/static/",
            "FORCE_SCRIPT_NAME": None,
            **{name: value for name, value in site.items() if name != "BACKEND"},
        }
        if folder := values.get("WHITENOISE_ROOT"):
            values["WHITENOISE_ROOT"] = str(root.parent / folder)
        settings = SimpleNamespace(**values)
        kinds: tuple[type, ...] = (
            original.WhiteNoiseMiddleware,
            WhiteNoiseMiddleware,
        )
        if mixin is not object:
            kinds = tuple(type(kind.__name__, (mixin, kind), {}) for kind in kinds)
        self.original, self.new = (kind(passed_on, settings=settings) for kind in kinds)

    @property
    def prefix(self) -> str:
        prefix: str = self.original.static_prefix
        return prefix

    def compare(self, url: str, method: str = "GET", **headers: str) -> Answer | None:
        """Return the answer to a request, which is the same from both."""
        expected = answer(self.original, url, method, headers)
        assert answer(self.new, url, method, headers) == expected, (url, headers)
        return expected


def passed_on(request: HttpRequest) -> None:
    """Stand for the rest of the site."""


def answer(
    middleware: Any, url: str, method: str = "GET", headers: Headers | None = None
) -> Answer | None:
    """Return status, headers and content, or None if the request is passed on."""
    request = HttpRequest()
    request.method, request.path_info, request.path = method, url, url
    request.META = {"REQUEST_METHOD": method, **(headers or {})}
    response: HttpResponse | None = middleware(request)
    if response is None:
        return None
    content = b"".join(response)
    response.close()
    return response.status_code, list(response.items()), content


@contextmanager
def pair(
    root: Path, name: str = "absolute URL", mixin: type = object
) -> Iterator[Pair]:
    """Make both with the settings of a site in SITES."""
    backend = SITES[name].get("BACKEND", MANIFEST)
    with override_settings(
        STORAGES={"staticfiles": {"BACKEND": backend}},
        STATIC_ROOT=str(root),
        STATIC_URL=SITES[name].get("STATIC_URL", "/static/"),
    ):
        yield Pair(root, SITES[name], mixin)


def variations(url: str) -> Iterator[str]:
    """Yield a URL, and others that a client may make of it."""
    parts = url.split("/")
    yield from (url, f"{url}/", f"{url}.gz", f"{url}.br", f"{url}\0", f"{url}.")
    yield from (f"/{url}", f"//{url}", f"/dev{url}", url.lstrip("/"), f"{url}//")
    yield from (url.upper(), url.replace("/", "\\"), url.replace("/", "//"))
    yield from (f"{url}/.", f"{url}/..", f"{url}/index.html", f"{url}%00")
    yield from (url.rpartition("/")[0], f"{url.rpartition('/')[0]}/", f" {url}")
    for index in range(1, len(parts)):
        for odd in (".", "..", "", "x", "linked", "a/..", "..\\", "%2e%2e", "\ud800"):
            yield "/".join([*parts[:index], odd, *parts[index:]])


ODD_URLS = [
    "",
    "/",
    "static",
    "/static",
    "/static/",
    "/static//",
    "/static/../outside.txt",
    "/static/..",
    "/static/.",
    "/static/../files-too/x.css",
    "/static-too/x.css",
    "/static/" + "a" * 5000,
    "/static/" + "a/" * 3000 + "x.css",
    "/static//etc/passwd",
    "/static/\x00",
    "/static/top.js\x00.css",
    "/robots.txt",
    "/app",
    "/app/",
    "/app/index.html",
    "*",
]

DATE = "Tue, 14 Nov 2023 22:13:20 GMT"
REQUESTS: list[Headers] = [
    {},
    {"HTTP_ACCEPT_ENCODING": "gzip"},
    {"HTTP_ACCEPT_ENCODING": "br"},
    {"HTTP_ACCEPT_ENCODING": "gzip, deflate, br, zstd"},
    {"HTTP_ACCEPT_ENCODING": "*"},
    {"HTTP_ACCEPT_ENCODING": "identity;q=0"},
    {"HTTP_IF_NONE_MATCH": '"6553f100-741"'},
    {"HTTP_IF_NONE_MATCH": '"of the site"'},
    {"HTTP_IF_NONE_MATCH": "*", "HTTP_IF_MODIFIED_SINCE": DATE},
    {"HTTP_IF_MODIFIED_SINCE": DATE},
    {"HTTP_IF_MODIFIED_SINCE": "Wed, 15 Nov 2023 22:13:20 GMT"},
    {"HTTP_IF_MODIFIED_SINCE": "Mon, 13 Nov 2023 22:13:20 GMT"},
    {"HTTP_IF_MODIFIED_SINCE": "yesterday"},
    {"HTTP_RANGE": "bytes=0-4"},
    {"HTTP_RANGE": "bytes=-4"},
    {"HTTP_RANGE": "bytes=4-"},
    {"HTTP_RANGE": "bytes=9-4"},
    {"HTTP_RANGE": "bytes=99999-"},
    {"HTTP_RANGE": "bytes=0-1,3-4"},
    {"HTTP_RANGE": "lines=0-4", "HTTP_ACCEPT_ENCODING": "gzip"},
    {"HTTP_RANGE": "bytes=1-2", "HTTP_ACCEPT_ENCODING": "gzip"},
]


@pytest.mark.parametrize("name", SITES)
def test_every_file_is_answered_as_by_the_original(name: str, root: Path):
    """For each site, each file and the variations of its URL: 1,400 requests."""
    headers = itertools.cycle(REQUESTS)
    methods = itertools.cycle(["GET", "GET", "GET", "HEAD", "POST", "get"])
    with pair(root, name) as both:
        urls = [both.prefix + name for name in [*FILES, "linked.css", "linked"]]
        urls.append(f"{both.prefix}linked/css/site.css")
        odd = [variation for url in urls for variation in variations(url)]
        answers = [
            both.compare(url, next(methods), **next(headers))
            for url in (*odd, *ODD_URLS)
        ]

    assert len(answers) > 1_000
    served = [answer for answer in answers if answer]
    assert (served != []) == (name != "no folder")


@pytest.mark.parametrize("name", ["absolute URL", "headers", "own test", "index"])
def test_every_header_and_method_has_the_answer_of_the_original(name: str, root: Path):
    with pair(root, name) as both:
        for file, headers in itertools.product(FILES, REQUESTS):
            for method in ("GET", "HEAD", "POST", "OPTIONS"):
                both.compare(both.prefix + file, method, **headers)
        page = both.compare("/static/top.js")
        hashed = both.compare(f"/static/{HASHED}", HTTP_ACCEPT_ENCODING="gzip")

    # The comparison is not one of nothing with nothing.
    assert page
    assert (page[0], page[2]) == (200, FILES["top.js"])
    assert hashed
    assert hashed[2] == FILES[f"{HASHED}.gz"]
    assert "immutable" in dict(hashed[1])["Cache-Control"]


# Of folders and files, and of requests for them.
NAMES = st.sampled_from(["a", "b", "a.gz", "a.br", "b.gz", "a.0a0a.css", "\u00e9", "i"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
SEGMENTS = st.one_of(NAMES, st.sampled_from(["", ".", "..", "i/", "\\", "\0"]))
URLS = st.lists(SEGMENTS, max_size=4).map("/".join)


@given(
    files=st.sets(PATHS, max_size=9),
    scanned=st.sets(PATHS, max_size=2),
    urls=st.lists(URLS | st.text(max_size=9), min_size=1, max_size=40),
    prefix=st.sampled_from(["/static/", "/", "/a/"]),
    index=st.sampled_from([None, "i"]),
    headers=st.sampled_from(REQUESTS),
)
def test_any_files_are_answered_as_by_the_original(
    files: set[str],
    scanned: set[str],
    urls: list[str],
    prefix: str,
    index: str | None,
    headers: Headers,
):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "files")
        for base, names in ((root, files), (Path(folder, "other"), scanned)):
            base.mkdir()
            for name in sorted(names):
                # The parent may be a file already.
                if index in Path(name).parts[:-1]:
                    continue
                try:
                    (base / name).parent.mkdir(parents=True, exist_ok=True)
                    (base / name).write_text(name)
                except OSError:
                    continue
        site = {"WHITENOISE_ROOT": "other" if scanned else None}
        site |= {"STATIC_URL": prefix, "WHITENOISE_INDEX_FILE": index}
        with override_settings(STORAGES={"staticfiles": {"BACKEND": PLAIN}}):
            both = Pair(root, site)
            for url in (*urls, *files):
                both.compare(prefix + url, **headers)
                both.compare(f"/{url}", **headers)
            both.compare(prefix.rstrip("/"))


class MoreFiles:
    """What a site's own subclass does: files of its own, after WhiteNoise's."""

    def __init__(self, *arguments: Any, settings: Any) -> None:
        super().__init__(*arguments, settings=settings)  # type: ignore[call-arg]
        parent = Path(settings.STATIC_ROOT).parent
        self.add_files(str(parent / "other"), prefix="more/")  # type: ignore[attr-defined]
        # Over the static files, and below them.
        self.add_files(str(parent / "third"), prefix="static/")  # type: ignore[attr-defined]
        self.add_files(str(parent / "other"), prefix="static/app")  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["absolute URL", "root", "index", "refreshed"])
def test_files_that_a_subclass_adds_take_precedence(name: str, root: Path):
    with pair(root, name, MoreFiles) as both:
        for file, content in (
            ("more/robots.txt", b"other robots.txt"),
            ("static/app/robots.txt", b"other robots.txt"),
            ("static/top.js", b"third"),
        ):
            found = both.compare(f"/{file}")
            assert found
            assert found[2] == content
        for file in FILES:
            for url in variations(f"/static/{file}"):
                both.compare(url)


def scanned_folders(make: Any) -> list[str]:
    """Return the folders that are listed while ``make`` runs."""
    listed: list[str] = []
    active = True

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if active and event in ("os.scandir", "os.listdir"):
            listed.append(str(arguments[0]))

    # A hook cannot be removed.
    sys.addaudithook(audit)
    try:
        make()
    finally:
        active = False
    return listed


def test_no_folder_is_listed_and_no_file_looked_at_before_a_request(root: Path):
    with override_settings(STATIC_ROOT=str(root), WHITENOISE_AUTOREFRESH=False):
        assert scanned_folders(lambda: WhiteNoiseMiddleware(passed_on)) == []
        # The list would have it.
        scanned = scanned_folders(lambda: original.WhiteNoiseMiddleware(passed_on))
        assert f"{root}/" in scanned

    with pair(root) as both:
        assert both.new.files == {}


@pytest.mark.parametrize("name", ["URL is the root", "finders"])
def test_where_a_page_would_be_looked_for_the_scan_stays(name: str, root: Path):
    with pair(root, name) as both:
        assert (
            both.new.files.keys()
            == both.original.files.keys()
            > {f"{both.prefix}top.js"}
        )
        assert both.new.directories == []


def test_a_file_that_may_change_is_not_kept(root: Path):
    with pair(root, "refreshed") as both:
        assert both.compare("/static/top.js")

        assert both.new.files == {}


def test_the_manifest_is_read_before_the_first_request(root: Path):
    with override_settings(STATIC_ROOT=str(root), WHITENOISE_AUTOREFRESH=False):
        # The setting has changed.
        assert "staticfiles" not in vars(storages)["_storages"]

        WhiteNoiseMiddleware(passed_on)

        assert "staticfiles" in vars(storages)["_storages"]


def test_a_file_is_looked_at_once(root: Path, monkeypatch: pytest.MonkeyPatch):
    with pair(root) as both:
        first = both.compare("/static/top.js")
        monkeypatch.setattr(both.new, "find_file", None)

        assert answer(both.new, "/static/top.js") == first


def test_what_is_not_found_is_not_kept(root: Path):
    with pair(root, "index") as both:
        before = dict(both.new.files)

        for number in range(1_000):
            assert answer(both.new, f"/static/{number}.css") is None
            assert answer(both.new, f"/static/admin/{number}/") is None

        assert both.new.files == before


def test_pages_are_not_looked_for_on_the_disk(
    root: Path, monkeypatch: pytest.MonkeyPatch
):
    with pair(root, "root") as both:
        monkeypatch.setattr(both.new, "find_file", None)

        assert answer(both.new, "/documents/1/") is None
        assert answer(both.new, "/robots.txt")


def test_threads_of_one_process_get_the_same_answers(root: Path):
    with pair(root, "index") as both:
        urls = [odd for file in FILES for odd in variations(f"/static/{file}")]
        expected = [answer(both.original, url) for url in urls]

        with ThreadPoolExecutor(8) as pool:
            runs = [
                pool.submit(lambda: [answer(both.new, url) for url in urls])
                for _ in range(8)
            ]
            assert [run.result() == expected for run in runs] == [True] * 8


def test_a_folder_that_does_not_exist_is_reported_as_by_the_original(tmp_path: Path):
    for name in ("absolute URL", "refreshed"):
        site = SITES[name] | {"STATIC_ROOT": str(tmp_path / "nowhere")}
        if name == "refreshed":
            Pair(tmp_path, site)
            continue
        with pytest.warns(UserWarning, match="No directory at: .*nowhere") as warned:
            Pair(tmp_path, site)
        assert len(warned) == 2


def test_whitenoise_has_what_the_middleware_uses():
    """A change in WhiteNoise of what is overridden or called is a change here."""
    kind = original.WhiteNoiseMiddleware
    parameters = {
        name: list(inspect.signature(getattr(kind, name)).parameters)
        for name in (
            "__call__",
            "add_file_to_dictionary",
            "find_file",
            "get_static_file",
            "update_files_dictionary",
        )
    }

    assert parameters == {
        "__call__": ["self", "request"],
        "add_file_to_dictionary": ["self", "url", "path", "stat_cache"],
        "find_file": ["self", "url"],
        "get_static_file": ["self", "path", "url", "stat_cache"],
        "update_files_dictionary": ["self", "root", "prefix"],
    }
    source = inspect.getsource(kind.__init__)
    # In this order: the settings are known when the folder is added.
    order = ["self.use_finders =", "self.static_prefix =", "self.add_files("]
    assert sorted(order, key=source.index) == order
    # Where the original looks, and where what was found is kept.
    assert "self.files.get(request.path_info)" in inspect.getsource(kind.__call__)
    assert "in self.directories" in inspect.getsource(
        original.WhiteNoise.candidate_paths_for_url
    )


@pytest.mark.nightly(
    "other versions of WhiteNoise than the locked one, which stands for them"
)
@pytest.mark.parametrize("version", ["6.6.0", "6.9.0", "<7"])
def test_other_versions_that_the_wheel_allows_pass_these_tests(
    version: str, tmp_path: Path
):
    requirement = f"whitenoise{version if version[0] == '<' else '==' + version}"
    uv = str(Path(sys.executable).with_name("uv"))
    target = ["--no-deps", "--upgrade", "--target", str(tmp_path)]
    install.run([uv, "pip", "install", *target, requirement])
    command = [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider"]

    process = subprocess.run(
        [*command, __file__],
        env={**os.environ, "PYTHONPATH": str(tmp_path), "TEST_PROFILE": "default"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert process.returncode == 0, process.stdout[-3000:]
    assert " passed" in process.stdout
