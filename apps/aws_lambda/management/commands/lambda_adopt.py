"""Run `django-on-lambda adopt` with the Python of manage.py."""

from ..program import ProgramCommand


class Command(ProgramCommand):
    """Write or merge the files of the site."""

    help = "Write or merge the files with which this site runs on AWS Lambda."
    program = "adopt"
