#!/bin/sh
# Stops everything this folder started and removes everything it made. What git tracks stays.
set -eu
cd "$(dirname "$0")/.."
if [ -x .venv/bin/callhouse ] && ! .venv/bin/callhouse down --destroy; then
  echo "could not stop what runs; nothing was removed" >&2
  exit 1
fi
home=${CALLHOUSE_HOME:-.callhouse}
rm -rf .callhouse .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage build logs
rm -rf dbt_project/target dbt_project/logs dbt_project/dbt_packages plugins/callhouse.egg-info
find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
if [ -e "$home" ]; then echo "left as it is, because you chose it: CALLHOUSE_HOME=$home"; fi
