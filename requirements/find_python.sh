#!/bin/sh
# Print the path of a Python 3.13 interpreter: $PYTHON, or one on PATH, of pyenv or
# of uv, which downloads one if there is none. `find_python.sh 3.12` finds another one.
set -u
wanted=${1:-3.13}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

# Print the interpreter's own path and exit, if it is a working Python $wanted. A pyenv
# shim exists for any version, and exits with 127 if that version is not selected.
use() {
    "$1" -c 'import sys
if "%d.%d" % sys.version_info[:2] == sys.argv[1]: print(sys.executable)
else: sys.exit(1)' "$wanted" 2>/dev/null && exit 0
}

if [ -n "${PYTHON:-}" ]; then
    use "$PYTHON"
    echo "PYTHON=$PYTHON is not a working Python $wanted. Correct or unset it." >&2
    exit 1
fi

for python in "python$wanted" python3 python; do
    use "$python"
done

for version in $(pyenv versions --bare 2>/dev/null | grep "^$wanted\.[0-9]*\$"); do
    use "$(pyenv root)/versions/$version/bin/python"
done

if uv=$("$here/find_uv.sh" 2>/dev/null); then
    use "$("$uv" python find "$wanted" 2>/dev/null)"
    echo "Downloading Python $wanted" >&2
    # Without a network, uv's three retries take ten seconds.
    UV_HTTP_RETRIES=${UV_HTTP_RETRIES:-1} "$uv" python install "$wanted" >&2 &&
        use "$("$uv" python find "$wanted")"
elif [ $? = 2 ]; then
    echo "The package index, from which uv is installed, cannot be reached. Check the" \
        "network and the proxy (HTTPS_PROXY)." >&2
fi

echo "Python $wanted was not found, and could not be downloaded. Install it" \
    "(https://www.python.org/downloads/), or set PYTHON=/path/to/python." >&2
exit 1
