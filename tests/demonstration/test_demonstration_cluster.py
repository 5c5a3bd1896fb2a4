"""Examples, demo and the operator's own kubeconfig on the real API server."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted([*(ROOT / "examples").glob("*.yaml"), *(ROOT / "demo").glob("*.yaml")])

pytestmark = pytest.mark.cluster
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def operator_kubeconfig(kubectl: Run, tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("operator") / "kubeconfig"
    command = [sys.executable, str(ROOT / "tools" / "operator_kubeconfig.py"), str(out)]
    subprocess.run(command, check=True, capture_output=True)
    assert out.stat().st_mode & 0o777 == 0o600
    return str(out)


@pytest.mark.parametrize("file", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_api_server_takes_every_example(kubectl: Run, operator_kubeconfig: str, file: Path) -> None:
    applied = kubectl("apply", "--dry-run=server", "--validate=strict", f"--filename={file}")
    assert applied.returncode == 0, applied.stderr
    assert "(server dry run)" in applied.stdout


def test_the_operator_is_its_service_account_and_no_administrator(kubectl: Run, operator_kubeconfig: str) -> None:
    who = kubectl("auth", "whoami", "--output=json", kubeconfig=operator_kubeconfig)
    assert (
        json.loads(who.stdout)["status"]["userInfo"]["username"] == "system:serviceaccount:batchyard-system:batchyard"
    )
    allowed = kubectl("auth", "can-i", "create", "pods", kubeconfig=operator_kubeconfig)
    refused = kubectl("auth", "can-i", "get", "secrets", kubeconfig=operator_kubeconfig)
    assert (allowed.stdout.strip(), refused.stdout.strip()) == ("yes", "no")
