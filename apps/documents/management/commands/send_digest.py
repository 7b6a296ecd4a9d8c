from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.mail import send_mail
from django.core.management.base import BaseCommand, CommandParser
from django.db.models import Count, Q
from django.template.loader import render_to_string
from django.utils import timezone

from apps.documents.models import Document

MAX_WAIT = timedelta(days=1)


class Command(BaseCommand):
    help = (
        "Send an e-mail about the documents of the last day to those who approve them."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--hours", type=int, default=24, help="How far back; 24 by default."
        )

    def handle(self, *, hours: int, **options: Any) -> None:
        """Send one message to each reader; print their number."""
        now = timezone.now()
        since = now - timedelta(hours=hours)
        # The process ended in each attempt of their task, or its message was lost.
        unread = Q(status="received", uploaded_at__lt=now - MAX_WAIT)
        received = Q(uploaded_at__gte=since)
        counts = Document.objects.aggregate(
            received=Count("pk", filter=received),
            failed=Count("pk", filter=received & Q(status="failed")),
            waiting=Count("pk", filter=Q(status="processed", approved_at=None)),
            unread=Count("pk", filter=unread),
        )
        if not any(counts.values()):
            self.stdout.write("Nothing to report: no message was sent")
            return
        newest = Document.objects.filter(received).select_related("uploaded_by")
        text = render_to_string(
            "documents/digest.txt",
            {**counts, "hours": hours, "newest": newest[:20]},
        )
        subject = (
            f"Inbox: {counts['received']} received, {counts['waiting']} to approve"
        )
        readers = self.readers()
        for reader in readers:
            # One message each, so that no reader gets the addresses of others.
            send_mail(subject, text, None, [reader])
        self.stdout.write(f"Sent the digest to {len(readers)} users")

    def readers(self) -> list[str]:
        """Return the addresses of the active staff who may approve documents."""
        users = get_user_model()._default_manager.filter(is_active=True, is_staff=True)
        permission = Permission.objects.filter(
            codename="approve_document", content_type__app_label="documents"
        )
        allowed = (
            Q(is_superuser=True)
            | Q(user_permissions__in=permission)
            | Q(groups__permissions__in=permission)
        )
        addresses = users.filter(allowed).exclude(email="").order_by("email")
        return list(addresses.values_list("email", flat=True).distinct())
