"""The helm that the development cluster's tools bring along, what it renders, and a release on the real cluster."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache

import pytest
import yaml
from chart_release import Release
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
    """Render the chart with values as `--set` takes them, and give its objects; each rendering is made once.

    The CustomResourceDefinitions, which take longest, are left out unless values speak of them.
    """

    @cache
    def text(values: tuple[str, ...]) -> str:
        command = [helm, "template", "batchyard", str(CHART), "--namespace", "batchyard-system"]
        for value in values:
            command += ["--set", value]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def objects(*values: str) -> list[dict]:
        if not any("crds." in value for value in values):
            values = (*values, "crds.install=false")
        return [document for document in yaml.load_all(text(values), _FAST) if document]

    return objects


@pytest.fixture(scope="session")
def release(helm: str, kubeconfig: str) -> Iterator[Release]:
    """The chart's rights on the real cluster, for an operator outside it."""
    with Release.installed(helm, kubeconfig) as made:
        yield made


_FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
