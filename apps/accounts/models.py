from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """
    A user of the site: Django's own so far, to which you can add fields.

    A site cannot change AUTH_USER_MODEL once its database exists, so Django advises
    every new one to start with a model of its own:
    https://docs.djangoproject.com/en/6.1/topics/auth/customizing/#using-a-custom-user-model-when-starting-a-project
    """
