"""The helm that the development cluster's tools bring along."""

import os
import shutil
import subprocess
import sys

import pytest
import yaml
from chart_tree import CHART, ROOT, Render


@pytest.fixture(scope="session")
def helm() -> str:
    own = os.environ.get("HELM") or shutil.which("helm")
    if own:
        return own
    command = [sys.executable, "-m", "devcluster", "tools", "helm"]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


@pytest.fixture(scope="session")
def render(helm: str) -> Render:
    """Render the chart with values as `--set` takes them, and give its objects."""

    def objects(*values: str) -> list[dict]:
        command = [helm, "template", "batchyard", str(CHART), "--namespace", "batchyard-system"]
        for value in values:
            command += ["--set", value]
        rendered = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return [document for document in yaml.safe_load_all(rendered) if document]

    return objects
