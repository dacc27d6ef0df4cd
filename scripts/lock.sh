#!/bin/sh
# Writes the requirements files anew from pyproject.toml: versions and hashes for Python 3.11 to 3.13 on every platform.
set -eu
cd "$(dirname "$0")/.."
compile() {
  .venv/bin/uv pip compile --quiet ${UPGRADE:+--upgrade} --universal --python-version 3.11 --generate-hashes \
    --no-header --no-emit-index-url --no-emit-find-links "$@"
}
compile pyproject.toml -o requirements.txt
compile requirements-bootstrap.in -c requirements.txt -o requirements-bootstrap.txt
compile pyproject.toml --extra dev -c requirements.txt -o requirements-dev.txt
