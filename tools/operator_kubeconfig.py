"""Give an operator outside the cluster the rights that the chart gives one inside, and nothing more.

`python3 tools/operator_kubeconfig.py OUT` applies the chart (CustomResourceDefinitions, rights, ServiceAccounts; no
Deployment) as the cluster's administrator, mints a token of the operator's ServiceAccount and writes a kubeconfig that
holds it. It may be run again at any time: what is there is mended, the token is new. It needs nothing but Python;
kubectl and helm come from devcluster.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from devcluster.errors import SetupError  # noqa: E402 the tree is not installed for this Python
from devcluster.kubeconfig import write_whole  # noqa: E402
from devcluster.layout import Layout  # noqa: E402
from devcluster.programs import path_of  # noqa: E402

NAMESPACE = "batchyard-system"
ACCOUNT = "batchyard"
LIFETIME = "168h"
CHART = ROOT / "charts" / "batchyard"
PROVIDERS = ("docker", "simulated", "karpenter", "clusterAPI")
VALUES = ("operator.install=false", *(f"providers.{name}.enabled=true" for name in PROVIDERS))


@dataclass(frozen=True, slots=True)
class Cluster:
    """The cluster as its administrator reaches it."""

    kubectl: Path
    kubeconfig: Path

    def run(self, *arguments: str, stdin: str | None = None) -> str:
        """Return what kubectl prints; SetupError with its complaint if it fails."""
        return output([str(self.kubectl), f"--kubeconfig={self.kubeconfig}", *arguments], stdin)


def output(command: list[str], stdin: str | None = None) -> str:
    """Return what a program prints; SetupError with its complaint if it fails."""
    run = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if run.returncode:
        raise SetupError(f"{Path(command[0]).name} {command[-1]} failed: {run.stderr.strip()}")
    return run.stdout


def rendered(helm: Path) -> str:
    """Return the chart's objects as YAML, preceded by their namespace."""
    settings = [word for value in VALUES for word in ("--set", value)]
    chart = output([str(helm), "template", ACCOUNT, str(CHART), "--namespace", NAMESPACE, *settings])
    return f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {NAMESPACE}}}\n---\n{chart}"


def install(cluster: Cluster, helm: Path) -> None:
    """Apply the chart and wait until the API server serves its kinds."""
    apply = ["apply", "--server-side", "--force-conflicts", "--field-manager=batchyard-setup", "--filename=-"]
    cluster.run(*apply, stdin=rendered(helm))
    kinds = [f"crd/{path.stem}.batchyard.dev" for path in sorted((CHART / "files" / "crds").glob("*.yaml"))]
    cluster.run("wait", "--for=condition=Established", "--timeout=60s", *kinds)


def kubeconfig(cluster: Cluster) -> str:
    """Return a kubeconfig (JSON is YAML) of the operator's ServiceAccount."""
    token = cluster.run("create", "token", ACCOUNT, f"--namespace={NAMESPACE}", f"--duration={LIFETIME}")
    view = json.loads(cluster.run("config", "view", "--raw", "--minify", "--flatten", "--output=json"))
    context = {"cluster": "batchyard", "user": "operator", "namespace": NAMESPACE}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "operator",
            "clusters": [{"name": "batchyard", "cluster": view["clusters"][0]["cluster"]}],
            "users": [{"name": "operator", "user": {"token": token.strip()}}],
            "contexts": [{"name": "operator", "context": context}],
        },
        indent=1,
    )


def write(out: Path, layout: Layout) -> None:
    """Install the chart's rights and leave the operator's kubeconfig at `out`, readable by its owner alone."""
    if not layout.kubeconfig.exists():
        raise SetupError("There is no cluster: run `make cluster` first.")
    cluster = Cluster(path_of("kubectl", layout), layout.kubeconfig)
    install(cluster, path_of("helm", layout))
    out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(out, kubeconfig(cluster))


def main(arguments: list[str]) -> str | None:
    """Return nothing when the kubeconfig is written, else the sentence that says why not (exit code 1)."""
    parser = argparse.ArgumentParser(description="Write a kubeconfig with the rights of the chart's ServiceAccount.")
    parser.add_argument("out", type=Path, metavar="OUT", help="the file to write")
    try:
        write(parser.parse_args(arguments).out, Layout.from_environment())
    except SetupError as reason:
        return str(reason)
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
