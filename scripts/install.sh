#!/bin/sh
# Makes .venv hold exactly what a hash-locked requirements file names, and this project. Called by make:
#   scripts/install.sh requirements.txt | requirements-dev.txt      (PYTHON=… chooses the interpreter)
set -eu
cd "$(dirname "$0")/.."
lock=$1
venv=.venv

fail() { printf '%s\n' "$@" >&2; exit 2; }
version() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }
supported() { case $(version "$1") in 3.11 | 3.12 | 3.13) ;; *) return 1 ;; esac; }
complete() { "$1" -c 'import ensurepip, ssl, sqlite3, venv' 2>/dev/null; }

# The first interpreter that fits; shims that exist but do not run are passed over.
find_python() {
  if [ -n "${PYTHON:-}" ]; then
    supported "$PYTHON" || fail "PYTHON=$PYTHON is no Python 3.11, 3.12 or 3.13 ($(version "$PYTHON" || echo "it does not run"))."
    complete "$PYTHON" || incomplete "$PYTHON"
    python=$PYTHON
    return
  fi
  seen=
  for candidate in python3.13 python3.12 python3.11 python3 python; do
    if supported "$candidate"; then
      if complete "$candidate"; then python=$candidate; return; fi
      seen=$candidate
    fi
  done
  [ -z "$seen" ] || incomplete "$seen"
  fail "Callhouse needs Python 3.11, 3.12 or 3.13; python3 here is $(version python3 || echo "not installed")." \
    "Airflow, dbt and Great Expectations have no common versions for others." \
    "Install one of the three, or name it: make PYTHON=/path/to/python3.12"
}

incomplete() {
  fail "$1 cannot make virtual environments (ensurepip, ssl or sqlite3 is missing)." \
    "On Debian or Ubuntu: apt-get install python$(version "$1")-venv; elsewhere install a full Python."
}

# An environment, ours or made by hand, is kept if it runs, fits the wanted version and was not moved here.
usable() {
  supported $venv/bin/python && [ "$(cat $venv/.path 2>/dev/null || echo "$PWD")" = "$PWD" ] &&
    { [ -z "${PYTHON:-}" ] || [ "$(version "$PYTHON")" = "$(version $venv/bin/python)" ]; }
}

rm -f $venv/.runtime $venv/.dev # made again by make when this script has ended well
if usable; then
  echo "1/3 keeping the virtual environment $venv (Python $(version $venv/bin/python))"
else
  find_python
  echo "1/3 creating the virtual environment $venv (Python $(version "$python"))"
  rm -rf $venv
  "$python" -m venv $venv
fi
printf '%s\n' "$PWD" >$venv/.path

echo "2/3 installing the $(grep -c '^[a-z0-9].*==' "$lock") packages of $lock (about 1 GB; minutes on a slow line)"
pip() { $venv/bin/python -m pip --disable-pip-version-check "$@"; }
pip install --quiet --require-hashes -r requirements-bootstrap.txt
# uv does not read pip's settings: hand it a mirror named there.
if [ -z "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}" ]; then
  mirror=${PIP_INDEX_URL:-$(pip config get global.index-url 2>/dev/null || true)}
  if [ -n "$mirror" ]; then export UV_DEFAULT_INDEX="$mirror"; fi
fi
if [ -t 2 ]; then quiet=; else quiet=--quiet; fi
$venv/bin/uv pip sync $quiet --python $venv/bin/python --require-hashes --compile-bytecode \
  requirements-bootstrap.txt "$lock" || {
  echo "    uv could not install them; trying with pip, which is slower"
  pip install --quiet --require-hashes -r requirements-bootstrap.txt -r "$lock"
}

echo "3/3 installing callhouse from this folder"
pip install --quiet --no-deps --no-build-isolation --no-index --editable .
