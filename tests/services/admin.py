"""A user of the admin of a running site, over HTTP."""

import re
from html import unescape
from typing import Any
from urllib.request import HTTPCookieProcessor, Request, build_opener

from urllib3.filepost import encode_multipart_formdata


class Admin:
    """A session at ``url``, such as http://localhost:3000/admin, that is logged in."""

    def __init__(self, url: str, username: str, password: str) -> None:
        self.url = url
        self.browser = build_opener(HTTPCookieProcessor())
        fields = {"username": username, "password": password, "next": "/admin/"}
        self.post("/login/", fields)

    def page(self, path: str) -> str:
        with self.browser.open(self.url + path) as response:
            text: str = response.read().decode()
            return text

    def post(self, path: str, fields: dict[str, Any]) -> None:
        """Post the form of a page. A file is a tuple of name, content and type."""
        [token] = re.findall(r'csrfmiddlewaretoken" value="(\w+)"', self.page(path))[:1]
        body, kind = encode_multipart_formdata({"csrfmiddlewaretoken": token, **fields})
        request = Request(self.url + path, body, {"Content-Type": kind})
        self.browser.open(request).close()

    def links(self, path: str) -> list[str]:
        """Return the links of a page to files in the local AWS."""
        found = re.findall(r'href="(http://127[^"]+)"', self.page(path))
        return [unescape(link) for link in found]
