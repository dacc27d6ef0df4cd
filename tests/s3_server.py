"""A server that speaks S3 on loopback, and an Airflow connection that leads to it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

CONNECTION = "buckets"


@dataclass(frozen=True)
class S3:
    """The server's client of its maker's own, with one bucket."""

    client: Any
    bucket: str

    def location(self, prefix: str) -> str:
        """A place in the bucket, by the connection."""
        return f"s3://{CONNECTION}@{self.bucket}/{prefix}"

    def objects(self) -> dict[str, bytes]:
        """All objects by key."""
        listed = self.client.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        return {
            each["Key"]: self.client.get_object(Bucket=self.bucket, Key=each["Key"])["Body"].read()
            for each in listed
        }

    def put(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=key, Body=content)


@contextmanager
def s3_server(bucket: str) -> Iterator[S3]:
    """The server with an empty bucket, for the time of a block."""
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # a line per request
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        address = f"http://{host}:{port}"
        secrets = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
        client = boto3.client("s3", endpoint_url=address, region_name="us-east-1", **secrets)
        client.create_bucket(Bucket=bucket)
        connection = {
            "conn_type": "aws",
            "login": "key",
            "password": "secret",
            "extra": {"endpoint_url": address, "region_name": "us-east-1"},
        }
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(f"AIRFLOW_CONN_{CONNECTION.upper()}", json.dumps(connection))
            yield S3(client, bucket)
        client.close()
    finally:
        server.stop()
