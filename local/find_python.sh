#!/bin/sh
# Print the path of a Python 3.13 interpreter: $PYTHON, or one on PATH, or one of
# pyenv's, or one of uv's, which downloads it if need be.
set -u
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

# Print the interpreter's own path, and end, if it runs and is a 3.13. A pyenv
# shim is found for any version and exits with 127 unless that one is selected.
use() {
    "$1" -c 'import sys
if sys.version_info[:2] == (3, 13): print(sys.executable)
else: sys.exit(1)' 2>/dev/null && exit 0
}

if [ -n "${PYTHON:-}" ]; then
    use "$PYTHON"
    echo "PYTHON is set to $PYTHON, which is not a Python 3.13 that runs." >&2
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

echo "No Python 3.13 was found or could be downloaded. Install one" \
    "(https://www.python.org/downloads/), or name one with PYTHON=/path/to/python." >&2
exit 1
