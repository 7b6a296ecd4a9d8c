"""Users of the inbox of a stage: one with the page, and one with a program."""

import json
import re
from base64 import b64encode
from hashlib import sha256
from html import unescape
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin
from urllib.request import OpenerDirector, Request

from tests.services.admin import Admin

Parts = list[dict[str, Any]]


class Client:
    """
    A client of the site at ``url``, which sends and reads JSON.

    ``opener`` has its cookies, if it has some, and ``headers`` are of each request.
    """

    def __init__(self, url: str, opener: OpenerDirector, **headers: str) -> None:
        self.url = url
        self.opener = opener
        self.headers = {"Accept": "application/json", **headers}

    def call(self, method: str, path: str, document: Any = None) -> tuple[int, Any]:
        """Return the status, and what the body is as JSON, if it is."""
        body = None if document is None else json.dumps(document).encode()
        status, answer = self.send(method, path, body, "application/json")
        try:
            return status, json.loads(answer)
        except ValueError:
            return status, answer

    def send(
        self, method: str, path: str, body: bytes | None, content_type: str
    ) -> tuple[int, bytes]:
        """Return the status and the body, after redirects."""
        headers = {**self.headers, "Content-Type": content_type}
        request = Request(urljoin(self.url, path), body, headers, method=method)
        try:
            with self.opener.open(request) as response:
                return response.status, response.read()
        except HTTPError as error:
            with error:
                return error.code, error.read()

    def put(self, parts: Parts, content: bytes, part_size: int) -> None:
        """Send the parts of a file to the bucket, as they are signed."""
        for part in parts:
            start = (part["number"] - 1) * part_size
            body = content[start : start + part_size]
            headers = {"Content-Type": "", **part["headers"]}
            request = Request(part["url"], body, headers, method="PUT")
            self.opener.open(request).close()


class Page(Client):
    """What the script of the inbox does, in the session of a user."""

    def __init__(self, url: str, user: Admin) -> None:
        self.user = user
        super().__init__(url, user.browser, Referer=url)

    def add(self, name: str, content: bytes) -> int:
        """Upload a file, add it to the inbox, and return the key of the document."""
        _, page = self.send("GET", f"{self.url}/inbox/", None, "")
        ticket = self.find('data-upload-ticket="([^"]+)"', page)
        views = self.find('data-url="([^"]+_uploads/)"', page)
        token = self.find('name="csrfmiddlewaretoken" value="([^"]+)"', page)
        self.headers["X-CSRFToken"] = token

        def post(path: str, **document: Any) -> Any:
            status, answer = self.call("POST", views + path, document)
            assert status == 200, answer
            return answer

        granted = post("start", ticket=ticket, name=name, size=len(content))
        upload, size = granted["token"], granted["partSize"]
        signed = post(f"{upload}/sign", parts=digests(content, size))
        self.put(signed["parts"], content, size)
        post(f"{upload}/finish")
        form = urlencode({"csrfmiddlewaretoken": token, "file-upload": upload}).encode()
        kind = "application/x-www-form-urlencoded"
        status, answer = self.send("POST", f"{self.url}/inbox/", form, kind)
        assert status == 201, answer
        [key] = json.loads(answer)["rows"]
        return int(key)

    def row(self, key: int) -> str:
        """Return the row of a document, as the page asks for it again and again."""
        status, answer = self.call("GET", f"{self.url}/inbox/rows?id={key}")
        assert status == 200, answer
        return str(answer["rows"][str(key)])

    def download(self, key: int) -> tuple[int, bytes]:
        return self.send("GET", f"{self.url}/inbox/{key}/download", None, "")

    def choose(self, action: str, key: int) -> bytes:
        """Run an action of the admin on a document, and return the answer."""
        path = f"{self.url}/admin/documents/document/"
        _, page = self.send("GET", path, None, "")
        token = self.find('name="csrfmiddlewaretoken" value="([^"]+)"', page)
        fields = {"csrfmiddlewaretoken": token, "action": action}
        form = urlencode({**fields, "_selected_action": key}).encode()
        kind = "application/x-www-form-urlencoded"
        status, answer = self.send("POST", path, form, kind)
        assert status == 200, answer
        return answer

    def find(self, pattern: str, page: bytes) -> str:
        found = re.search(pattern, page.decode())
        assert found, page
        return unescape(found[1])


class Program(Client):
    """A program with a token for the JSON API."""

    def __init__(self, url: str, opener: OpenerDirector, token: str) -> None:
        super().__init__(url, opener, Authorization=f"Bearer {token}")

    def api(self, method: str, path: str, document: Any = None) -> tuple[int, Any]:
        return self.call(method, f"{self.url}/api/{path}", document)

    def add(self, name: str, content: bytes) -> int:
        """Upload a file, make a document of it, and return its key."""
        granted = {"name": name, "size": len(content)}
        status, upload = self.api("POST", "uploads", granted)
        assert status == 201, upload
        token, size = upload["token"], upload["part_size"]
        parts = {"parts": digests(content, size)}
        status, signed = self.api("POST", f"uploads/{token}/sign", parts)
        assert status == 200, signed
        self.put(signed["parts"], content, size)
        status, answer = self.api("POST", f"uploads/{token}/finish")
        assert status == 204, answer
        status, document = self.api("POST", "documents", {"upload": token})
        assert status == 201, document
        return int(document["id"])


def digests(content: bytes, part_size: int) -> dict[int, str]:
    """Return the SHA-256 of each part in base64, by its number."""
    parts = [content[i : i + part_size] for i in range(0, len(content), part_size)]
    return {
        number: b64encode(sha256(part).digest()).decode()
        for number, part in enumerate(parts, 1)
    }
