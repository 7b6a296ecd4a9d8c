#!/bin/sh
# Print the path of uv: the one on PATH, or the version pinned in
# requirements/dev.txt, which is installed into .run/uv with the first of these
# interpreters that has pip or venv: the arguments, python3, python. Exits with 2 if
# it could not be installed.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
home=$root/.run/uv

for uv in uv "$home/bin/uv"; do
    # A pyenv shim exists even if no selected version has the command.
    if "$uv" --version >/dev/null 2>&1; then
        command -v "$uv"
        exit 0
    fi
done

rm -rf "$home"
mkdir -p "$home"
sed -n '/^uv==/,/[^\\]$/p' "$root/requirements/dev.txt" >"$home/uv.txt"

for python in "$@" python3 python; do
    # Debian packages pip and venv separately, so either may be missing.
    if "$python" -m pip --version >/dev/null 2>&1; then
        where=--target
    elif "$python" -m venv "$home" >/dev/null 2>&1; then
        python=$home/bin/python where=--prefix
    else
        continue
    fi
    echo "Installing uv into .run/uv" >&2
    # pip's own five retries take eight seconds without a network.
    if "$python" -m pip install -qq --disable-pip-version-check --no-deps \
        --retries "${PIP_RETRIES:-1}" --require-hashes --requirement "$home/uv.txt" \
        "$where" "$home" >&2; then
        echo "$home/bin/uv"
        exit 0
    fi
    # Another interpreter has the same network.
    rm -rf "$home"
    echo "pip could not download uv from the package index. Check the network, the" \
        "proxy (HTTPS_PROXY), and the mirror in pip's configuration (pip config list)." >&2
    exit 2
done

echo "uv is not installed, and no Python with pip or venv was found to install it." \
    "Install uv: https://docs.astral.sh/uv/" >&2
exit 1
