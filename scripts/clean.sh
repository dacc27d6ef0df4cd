#!/bin/sh
# Stops everything this folder started and removes everything it made. What git tracks stays, and so does .env.
set -eu
cd "$(dirname "$0")/.."
chosen=${CALLHOUSE_HOME:-}
# Only this folder's own home: one that was chosen by hand may be somebody's warehouse.
unset CALLHOUSE_HOME CALLHOUSE_DATA CALLHOUSE_CONFIG AIRFLOW_CONN_WAREHOUSE

if [ -d .callhouse ] && ! .venv/bin/callhouse down --destroy; then
  echo "What runs could not be stopped, so nothing was removed. Run \`make install\`, then \`make clean\` again." >&2
  exit 1
fi
rm -rf .callhouse .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build logs
rm -rf dbt_project/target dbt_project/logs dbt_project/dbt_packages plugins/callhouse.egg-info
find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
if [ -n "$chosen" ]; then echo "Left as it is, because you chose it: CALLHOUSE_HOME=$chosen"; fi
