#!/bin/sh
# Install requirements/dev.txt into .venv with uv.
set -eu
cd -- "$(dirname -- "$0")/.."
python=.venv/bin/python
uv=$(requirements/find_uv.sh "$("$python" -c 'import sys; print(sys._base_executable)')")

install() {
    "$uv" pip sync --quiet --python "$python" --require-hashes requirements/dev.txt
}

# Without a network uv's retries take ten seconds. With a bad one they are needed.
errors=$(UV_HTTP_RETRIES=0 install 2>&1) && exit
case $errors in
*"client error (Connect)"*)
    echo "$errors" >&2
    echo "The package index cannot be reached, for the cause above. Check the network," \
        "the proxy (HTTPS_PROXY), and the mirror (UV_DEFAULT_INDEX)." >&2
    exit 1
    ;;
esac
install
