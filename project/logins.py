"""
Count failed logins by person: django-axes with three limits instead of one.

AXES_HANDLER and AXES_CLIENT_IP_CALLABLE name what is here.
"""

from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from django.db.models import Sum
from django.http import HttpRequest

# Failures of a name from all addresses, and of an address for all names, for each
# failure of the pair: an office has one address, and anyone can type a name.
WIDER_LIMIT = 10


def client_network(request: HttpRequest) -> str | None:
    """
    Return the client's IPv4 address, or the first one in its IPv6 network, or None.

    A subscriber has a /64 at least, and so 2**64 addresses:
    https://www.rfc-editor.org/rfc/rfc6177
    """
    text = request.META.get("REMOTE_ADDR")
    if not text:
        return None
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        address = ip_network((address, 64), strict=False).network_address
    return str(address)


class LoginHandler(AxesDatabaseHandler):  # type: ignore[misc]
    """
    Lock out a name from an address at AXES_FAILURE_LIMIT, and either alone later.

    AXES_LOCKOUT_PARAMETERS has the pair first.
    """

    def get_failures(
        self, request: HttpRequest, credentials: dict[str, Any] | None = None
    ) -> int:
        """Return what is compared with AXES_FAILURE_LIMIT."""
        pair, *wider = (
            attempts.aggregate(failures=Sum("failures_since_start"))["failures"] or 0
            for attempts in self.get_user_attempts(request, credentials)
        )
        return max(pair, *(failures // WIDER_LIMIT for failures in wider))

    def reset_user_attempts(
        self, request: HttpRequest, credentials: dict[str, Any] | None = None
    ) -> int:
        """
        Delete the failures of this name from this address, after a login.

        An attacker who has an account must not reset those of other names by it, nor
        the owner of a name those of an attacker elsewhere.
        """
        pair, *_ = self.filter_user_attempts(request, credentials)
        deleted: int = pair.delete()[0]
        return deleted
