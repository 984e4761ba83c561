#!/usr/bin/env bash
# Makes .venv with the locked dependencies, Planwarden itself, and the embedded model's file in the user's cache.
# Needs Python 3.11+ and nothing else: no compiler. Where a system package is missing, it is installed when we are
# root on Debian or Ubuntu; otherwise the line that installs it is printed.
#   scripts/setup.sh run|dev
set -euo pipefail
cd "$(dirname "$0")/.."
kind=${1:-run}
python=${PYTHON:-python3}
venv=.venv

need_package() { # what is missing, the Debian package that has it
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "setup: $1 is missing; installing the system package $2"
        { apt-get install -y -qq "$2" || { apt-get update -qq && apt-get install -y -qq "$2"; }; } >/dev/null
    else
        echo "setup: $1 is missing. Run: sudo apt-get install -y $2" >&2
        exit 2
    fi
}

command -v "$python" >/dev/null || need_package "Python" python3
"$python" - <<'PY' || exit 2
import sys
if sys.version_info < (3, 11):
    sys.exit(f"setup: Python {sys.version.split()[0]} is too old; 3.11 or newer is needed. Name another with PYTHON=python3.12 make …")
PY
version=$("$python" -c 'import sys; print(f"{sys.version_info[0]}.{sys.version_info[1]}")')
"$python" -c 'import ensurepip, venv' 2>/dev/null || need_package "the venv module of Python $version" "python$version-venv"

digest=$(cat requirements/*.lock pyproject.toml scripts/setup.sh | sha256sum | cut -d' ' -f1)
stamp=$venv/.planwarden-setup
have() { [ -f "$stamp" ] && grep -qx "$1 $digest $PWD" "$stamp"; }

if ! have "$kind" && ! have dev; then
    [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install -q --disable-pip-version-check --require-hashes -r requirements/installer.lock
    echo "setup: installing the locked dependencies into $venv"
    VIRTUAL_ENV=$venv "$venv/bin/uv" pip install -q --compile-bytecode --require-hashes -r "requirements/$kind.lock"
    VIRTUAL_ENV=$venv "$venv/bin/uv" pip install -q --require-hashes -r requirements/build.lock
    VIRTUAL_ENV=$venv "$venv/bin/uv" pip install -q --no-deps --no-build-isolation -e .
    echo "$kind $digest $PWD" >>"$stamp"
fi

"$venv/bin/python" -c 'import ctypes; ctypes.CDLL("libgomp.so.1")' 2>/dev/null \
    || [ "$(uname -s)" != Linux ] || need_package "OpenMP's library (llama.cpp uses it)" libgomp1
"$venv/bin/planwarden" models fetch >/dev/null
