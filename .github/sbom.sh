#!/usr/bin/env bash
# Writes the software bill of materials (CycloneDX) of a package:
#   .github/sbom.sh dist/lambda-arm64.zip sbom.cdx.json
# It reads the versions in the package, not those of a lock file.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
.venv/bin/python -m venv "$scratch/tool"
"$scratch/tool/bin/pip" install --quiet --require-hashes --requirement requirements/audit.txt
# An environment with only the package.
.venv/bin/python -m venv --without-pip "$scratch/package"
packages=$("$scratch/package/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
"$scratch/package/bin/python" -m zipfile --extract "$1" "$packages"
"$scratch/tool/bin/cyclonedx-py" environment --output-reproducible --pyproject pyproject.toml \
  --output-file "$2" "$scratch/package/bin/python"
