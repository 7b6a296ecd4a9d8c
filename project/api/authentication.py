from rest_framework.authentication import TokenAuthentication


class BearerAuthentication(TokenAuthentication):
    """``Authorization: Bearer <token>``, with a token that the admin has made."""

    keyword = "Bearer"
