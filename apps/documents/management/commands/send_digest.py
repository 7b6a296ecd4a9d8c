import logging
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.mail import send_mail
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Count, Q
from django.template.loader import render_to_string
from django.utils import timezone

from apps.documents.models import Document

logger = logging.getLogger(__name__)

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
        """
        Send one message to each reader; print their number.

        An address that fails does not keep the others from theirs. Raises CommandError
        if none was sent.
        """
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
        sent = 0
        for reader in readers:
            # One message each, so that no reader gets the addresses of others.
            try:
                send_mail(subject, text, None, [reader])
            except Exception:
                logger.exception("Could not send the digest to a user")
            else:
                sent += 1
        # A repetition would send it again to those who have it.
        if readers and not sent:
            raise CommandError(
                "The digest was sent to no user: the reasons are in the log before. "
                "Check MAIL_FROM and the quota of SES, then run: manage.py send_digest"
            )
        self.stdout.write(f"Sent the digest to {sent} users")

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
