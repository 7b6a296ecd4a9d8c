"""
Measure what the first signed link to a file costs in an execution environment.

In new processes, in alternation: Django is set up, then the storage is imported and
made, and signs one link, and a hundred more. Milliseconds of processor time, and
memory. No call is made.

Run: .venv/bin/python -m benchmarks.links
"""

import json
import os
import subprocess
import sys
from statistics import median

from tests.services.install import PROJECT

ENVIRON = {
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
    "AWS_REGION": "eu-central-1",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "t" * 900,
    "DJANGO_SETTINGS_MODULE": "project.settings",
    "ENV_FILE": os.devnull,
    "PYTHONPATH": str(PROJECT),
}
STORAGES = {
    "django-storages": "storages.backends.s3.S3Storage",
    "media.S3Storage": "apps.aws_lambda.media.S3Storage",
}
LINKS = """
import json, resource, sys, time
import django
django.setup()
from django.core.files.storage import storages

def memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

backend, sdk = sys.argv[1:]
options = {"bucket_name": "media"}
if sdk == "storages":
    options |= {"signature_version": "s3v4", "addressing_style": "virtual"}
storages._backends = {"default": {"BACKEND": backend, "OPTIONS": options}}
before, started = memory(), time.process_time()
storage = storages["default"]
made = time.process_time()
storage.url("a.txt")
signed = time.process_time()
after = memory()
for number in range(100):
    storage.url(f"{number}.txt")
end = time.process_time()
print(json.dumps([
    (made - started) * 1000,
    (signed - made) * 1000,
    (end - signed) * 10,
    after - before,
]))
"""
ROUNDS = 7


def main() -> None:
    figures: dict[str, list[list[float]]] = {name: [] for name in STORAGES}
    for number in range(ROUNDS + 1):
        for name, path in STORAGES.items():
            process = subprocess.run(
                [sys.executable, "-c", LINKS, path, path.partition(".")[0]],
                env=ENVIRON,
                cwd=PROJECT,
                stdout=subprocess.PIPE,
                check=True,
            )
            # The first round compiles the modules.
            if number:
                figures[name].append(json.loads(process.stdout))
    print(f"{'':16}  import ms  first link ms  next link ms     MB")
    for name, rounds in figures.items():
        made, first, more, memory = map(median, zip(*rounds, strict=True))
        print(f"{name:16} {made:10.1f} {first:14.2f} {more:13.2f} {memory:6.1f}")


if __name__ == "__main__":
    main()
