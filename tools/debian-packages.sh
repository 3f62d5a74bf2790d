#!/bin/sh
# Installs the Debian packages that `make install` and the embedded Triton need: the virtual environment
# module, and libpython, which Triton's Python backend links. In continuous integration (CI is set) also
# PostgreSQL, Prometheus and Alertmanager, whose tests skip without them; a developer's machine is given no server
# unasked, and no package's own service is started, which would take the ports of ours.
# Where it cannot, it says so and goes on: `hilum doctor` names what is missing.
set -u
PATH=$PATH:/usr/sbin:/sbin
version=$("${PYTHON:-python3}" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
packages=
ldconfig -p | grep -q "libpython$version\.so\.1\.0" || packages="libpython$version"
"${PYTHON:-python3}" -c 'import ensurepip, venv' 2>/dev/null || packages="$packages python$version-venv"
[ -z "${CI:-}" ] || command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 ||
    packages="$packages postgresql"
[ -z "${CI:-}" ] || command -v promtool >/dev/null || packages="$packages prometheus"
[ -z "${CI:-}" ] || command -v prometheus-alertmanager >/dev/null || command -v alertmanager >/dev/null ||
    packages="$packages prometheus-alertmanager"
[ -z "${CI:-}" ] || command -v chromium >/dev/null || packages="$packages chromium"
[ -n "$packages" ] || exit 0

command="apt-get install --yes --no-install-recommends $packages"
as_root=
[ "$(id -u)" = 0 ] || as_root=sudo
if command -v apt-get >/dev/null && { [ -z "$as_root" ] || command -v sudo >/dev/null; }; then
    policy=/usr/sbin/policy-rc.d # what packages ask before they start a service; 101 is no
    if [ ! -e "$policy" ]; then
        trap '$as_root rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null && $as_root chmod 755 "$policy"
    fi
    $as_root apt-get update --quiet && $as_root $command && exit 0
fi
echo "Needed and not installed:$packages. As root: $command" >&2
