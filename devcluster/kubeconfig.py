"""Write kubeconfig files that hold everything themselves, so that they can be copied anywhere."""

import base64
import os
from pathlib import Path

TEMPLATE = """\
apiVersion: v1
kind: Config
current-context: batchyard
contexts:
- name: batchyard
  context: {{cluster: batchyard, user: {user}}}
clusters:
- name: batchyard
  cluster:
    server: https://127.0.0.1:{port}
    certificate-authority-data: {ca}
users:
- name: {user}
  user:
    client-certificate-data: {certificate}
    client-key-data: {key}
"""


def write_kubeconfig(path: Path, pki: Path, user: str, port: int) -> None:
    """Write the kubeconfig of the user whose certificate is `user.crt`, if it is not there already."""
    text = TEMPLATE.format(
        user=user,
        port=port,
        ca=_encoded(pki / "ca.crt"),
        certificate=_encoded(pki / f"{user}.crt"),
        key=_encoded(pki / f"{user}.key"),
    )
    if not path.exists() or path.read_text() != text:
        write_whole(path, text)


def write_whole(path: Path, text: str) -> None:
    """Write a private file so that nobody ever sees half of it."""
    partial = path.with_name(path.name + ".partial")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    partial.replace(path)


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
