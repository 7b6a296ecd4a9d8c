#!/bin/sh
# Print the path of a Python 3.13 interpreter: $PYTHON, or one on PATH, of pyenv or
# of uv, which downloads one if there is none.
set -u
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

# Print the interpreter's own path and exit, if it is a working Python 3.13. A pyenv
# shim exists for any version, and exits with 127 if that version is not selected.
use() {
    "$1" -c 'import sys
if sys.version_info[:2] == (3, 13): print(sys.executable)
else: sys.exit(1)' 2>/dev/null && exit 0
}

if [ -n "${PYTHON:-}" ]; then
    use "$PYTHON"
    echo "PYTHON=$PYTHON is not a working Python 3.13. Correct or unset it." >&2
    exit 1
fi

for python in python3.13 python3 python; do
    use "$python"
done

for version in $(pyenv versions --bare 2>/dev/null | grep '^3\.13\.[0-9]*$'); do
    use "$(pyenv root)/versions/$version/bin/python"
done

if uv=$("$here/find_uv.sh" 2>/dev/null); then
    use "$("$uv" python find 3.13 2>/dev/null)"
    echo "Downloading Python 3.13" >&2
    "$uv" python install 3.13 >&2 && use "$("$uv" python find 3.13)"
fi

echo "Python 3.13 was not found, and could not be downloaded. Install it" \
    "(https://www.python.org/downloads/), or set PYTHON=/path/to/python." >&2
exit 1
