"""Run `django-on-lambda doctor` with the Python of manage.py."""

from ..program import ProgramCommand


class Command(ProgramCommand):
    """Print what is wrong with a stage; it needs boto3, and no setting of the site."""

    help = "Ask a running stage what is wrong with it: lambda_doctor --stage prod."
    program = "doctor"
