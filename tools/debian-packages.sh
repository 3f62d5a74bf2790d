#!/bin/sh
# Installs the Debian packages that the embedded Triton needs: its Python backend links libpython.
# Leaves other systems alone: `hilum doctor` names what is missing there.
set -eu
version=$("${PYTHON:-python3}" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
if ldconfig -p | grep -q "libpython$version\.so\.1\.0"; then
    exit 0
fi
command="apt-get install --yes --no-install-recommends libpython$version"
if ! command -v apt-get >/dev/null; then
    echo "The embedded Triton needs libpython$version.so.1.0; install it with your system's package manager." >&2
elif [ "$(id -u)" = 0 ]; then
    apt-get update --quiet && $command
elif command -v sudo >/dev/null; then
    sudo apt-get update --quiet && sudo $command
else
    echo "The embedded Triton needs libpython$version. As root: $command" >&2
fi
