#!/bin/bash
# make_venv.sh PYTHON VENV: leave a Python environment with all dependencies of pyproject.toml, whatever was there before.
set -euo pipefail
python=$1 venv=$2

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  echo "Batchyard needs Python 3.11 or newer; $python is $("$python" --version 2>&1). Name another: make PYTHON=python3.12 ..." >&2
  exit 1
fi

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  if [[ $EUID -ne 0 ]] || ! command -v apt-get >/dev/null; then
    echo "This Python cannot make virtual environments: install python3-venv (Debian: sudo apt-get install python3-venv)." >&2
    exit 1
  fi
  echo "Installing Debian's python3-venv."
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq || true
  apt-get install -qq --no-install-recommends python3-venv >/dev/null
fi

# A run that was interrupted may have left an environment without pip.
if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
  "$python" -m venv --clear "$venv"
fi
echo "Installing the Python dependencies into $venv; the first time takes about a minute."
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --editable '.[dev]'
