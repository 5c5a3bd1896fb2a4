"""A real Prometheus, without its web pages, that scrapes an operator every few seconds and evaluates the alerts."""

from __future__ import annotations

import os
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from dashboards.prometheus import Prometheus

from cluster.operator_process import ROOT
from cluster.rest import until

RULES = ROOT / "charts" / "batchyard" / "files" / "rules.yaml"
SCRAPE_SECONDS = 3  # and the time that a scrape may take


@contextmanager
def prometheus(program: Path, folder: Path, target: str) -> Iterator[Prometheus]:
    """Run it until the block ends; `target` is host:port of an operator."""
    configuration, log = folder / "prometheus.yml", folder / "prometheus.log"
    configuration.write_text(yaml.safe_dump(_configuration(target)))
    url = f"http://127.0.0.1:{_free_port()}"
    flags = (f"--config.file={configuration}", f"--storage.tsdb.path={folder / 'data'}",
             f"--web.listen-address={url.removeprefix('http://')}")  # fmt: skip
    with log.open("wb") as out:
        process = subprocess.Popen([str(program), *flags], stdout=out, stderr=out, env={**os.environ, "GOGC": "200"})
    try:
        until(lambda: process.poll() is not None or _ready(url), 60, lambda: log.read_text()[-2000:])
        assert process.poll() is None, log.read_text()[-2000:]
        yield Prometheus(url)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _configuration(target: str) -> dict[str, object]:
    scraped = {"targets": [target], "labels": {"namespace": "batchyard-system"}}
    return {
        "global": {"scrape_interval": f"{SCRAPE_SECONDS}s", "evaluation_interval": "3s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [{"job_name": "batchyard", "static_configs": [scraped]}],
    }


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
