"""The demo talks to the cluster as its user does: through kubectl."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class KubectlError(Exception):
    """kubectl failed; the text is its complaint."""


@dataclass(frozen=True, slots=True)
class Kubectl:
    """kubectl as the cluster's administrator, in one namespace."""

    program: Path
    kubeconfig: Path
    namespace: str = "default"

    def run(self, *arguments: str, stdin: str | None = None) -> str:
        """Return what kubectl prints; KubectlError if it fails."""
        command = [str(self.program), f"--kubeconfig={self.kubeconfig}", f"--namespace={self.namespace}", *arguments]
        run = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
        if run.returncode:
            raise KubectlError(run.stderr.strip())
        return run.stdout

    def apply(self, *texts: str) -> None:
        """Create or change the objects of some YAML texts, in this order."""
        self.run("apply", "--filename=-", stdin="\n---\n".join(texts))

    def items(self, kinds: str, *options: str) -> list[dict[str, Any]]:
        """Return the objects of one or more kinds (`pods,nodes`)."""
        found: list[dict[str, Any]] = json.loads(self.run("get", kinds, "--output=json", *options))["items"]
        return found

    def log(self, pod: str) -> str:
        """Return what a pod has printed."""
        return self.run("logs", pod)

    def environment(self) -> dict[str, str]:
        """Return the environment for other programs that shall reach the same cluster."""
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig)}
