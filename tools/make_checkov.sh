#!/bin/sh
# Make the environment of checkov, which has too many dependencies for .venv: tools/make_checkov.sh PYTHON; prints its path.
set -eu
python=$1
version=3.3.30
cache=${BATCHYARD_CACHE:-$HOME/.cache/batchyard}
target=$cache/checkov-$version
if [ ! -x "$target/bin/checkov" ]; then
  echo "Installing checkov $version into $target; this happens once." >&2
  rm -rf "$target"
  "$python" -m venv "$target"
  "$target/bin/pip" install --quiet --disable-pip-version-check --no-input "checkov==$version" >&2 || { rm -rf "$target"; exit 1; }
fi
echo "$target/bin/checkov"
