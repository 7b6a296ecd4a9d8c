from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.files.base import ContentFile
from django.test import Client

from apps.documents.models import Document

# A bucket, for direct uploads.
from tests.aws_lambda.uploads.conftest import aws, server  # noqa: F401

User = get_user_model()
BACKEND = "django.contrib.auth.backends.ModelBackend"
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000030000000208060000009d7482ea"
    "0000001249444154789c63606060f80f450c0c0c0c000d000101b0f1ab3c0000000049454e44ae426082"
)


def make_user(name: str, *codenames: str, **fields: Any) -> Any:
    user = User.objects.create(username=name, **fields)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user


def log_in(user: Any) -> Client:
    client = Client()
    client.force_login(user, backend=BACKEND)
    return client


@pytest.fixture
def ann(db: None) -> Any:
    return make_user("ann")


@pytest.fixture
def eve(db: None) -> Any:
    return make_user("eve")


@pytest.fixture
def add(db: None) -> Callable[..., Document]:
    """Return a function that stores a document without reading it."""

    def add(owner: Any, title: str = "Minutes", content: bytes = b"We met.", **more):
        document = Document(title=title, uploaded_by=owner, **more)
        document.file.save("minutes.txt", ContentFile(content))
        return document

    return add
