"""A user of the admin of a running site, over HTTP."""

import re
from html import unescape
from typing import Any
from urllib.parse import urlsplit
from urllib.request import BaseHandler, HTTPCookieProcessor, Request, build_opener

from urllib3.filepost import encode_multipart_formdata


class Admin:
    """
    A session at ``url``, such as http://localhost:3000/admin, that is logged in.

    ``handlers`` are urllib's for connections to the site.
    """

    def __init__(
        self, url: str, username: str, password: str, *handlers: BaseHandler
    ) -> None:
        self.url = url
        self.browser = build_opener(HTTPCookieProcessor(), *handlers)
        fields = {
            "username": username,
            "password": password,
            "next": f"{urlsplit(url).path}/",
        }
        self.post("/login/", fields)

    def page(self, path: str) -> str:
        with self.browser.open(self.url + path) as response:
            text: str = response.read().decode()
            return text

    def post(self, path: str, fields: dict[str, Any]) -> None:
        """Post the form of a page. A file is a tuple of name, content and type."""
        [token] = re.findall(r'csrfmiddlewaretoken" value="(\w+)"', self.page(path))[:1]
        body, kind = encode_multipart_formdata({"csrfmiddlewaretoken": token, **fields})
        # Django demands the second one of HTTPS.
        headers = {"Content-Type": kind, "Referer": self.url}
        request = Request(self.url + path, body, headers)
        self.browser.open(request).close()

    def links(self, path: str) -> list[str]:
        """Return the links of a page to files in the local AWS."""
        found = re.findall(r'href="(https?://127[^"]+)"', self.page(path))
        return [unescape(link) for link in found]
