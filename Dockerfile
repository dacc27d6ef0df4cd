# One image for every Airflow service and for the `callhouse` command. Nothing in it is secret; settings come from the
# environment (docker-compose.yml, .env.example).
FROM python:3.12-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /opt/callhouse
COPY requirements-bootstrap.txt requirements.txt ./
# Before the sources, so that a change of code does not install everything again.
RUN python -m venv .venv \
    && .venv/bin/pip install --require-hashes -r requirements-bootstrap.txt \
    && .venv/bin/uv pip install --no-cache --require-hashes --compile-bytecode --python .venv/bin/python -r requirements.txt
COPY . .
RUN .venv/bin/pip install --no-deps --no-build-isolation --no-index --editable .

FROM python:3.12-slim-bookworm
RUN useradd --create-home --uid 50000 callhouse \
    && install -d -o callhouse -g callhouse /var/lib/callhouse /var/lib/airflow
COPY --from=build /opt/callhouse /opt/callhouse
ENV PATH=/opt/callhouse/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    CALLHOUSE_HOME=/var/lib/callhouse \
    CALLHOUSE_DATA=/var/lib/callhouse/data \
    AIRFLOW_HOME=/var/lib/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/callhouse/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/opt/callhouse/plugins \
    AIRFLOW__CORE__LOAD_EXAMPLES=False \
    AIRFLOW__USAGE_DATA_COLLECTION__ENABLED=False \
    DO_NOT_TRACK=1
WORKDIR /opt/callhouse
USER callhouse
# The sources are root's and read-only to the services; what they write lies in the two volumes.
VOLUME ["/var/lib/callhouse", "/var/lib/airflow"]
# The long-running services have their own checks in docker-compose.yml; this one says that the command starts.
HEALTHCHECK --interval=60s --timeout=30s --start-period=30s CMD ["callhouse", "--help"]
CMD ["callhouse", "--help"]
