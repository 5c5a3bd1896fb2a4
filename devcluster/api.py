"""Ask the API server a question or two, with nothing but the standard library."""

import http.client
import json
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Api:
    """The API server on this machine as its administrator sees it."""

    pki: Path
    port: int

    def is_ready(self) -> bool:
        """Whether /readyz says ok."""
        return self._get("/readyz")[0] == http.HTTPStatus.OK

    def has_default_service_account(self) -> bool:
        """Whether pods can be created: the controller manager has made the first ServiceAccount."""
        return self._get("/api/v1/namespaces/default/serviceaccounts/default")[0] == http.HTTPStatus.OK

    def cluster_uid(self) -> str:
        """Return the identity of the cluster: the UID of its namespace kube-system, "" if unknown."""
        status, body = self._get("/api/v1/namespaces/kube-system")
        if status != http.HTTPStatus.OK:
            return ""
        namespace: dict[str, Any] = json.loads(body)
        return str(namespace["metadata"]["uid"])

    def release_simulated_nodes(self) -> None:
        """Delete the Leases that a dead KWOK holds: its successor would wait for them to expire."""
        leases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
        status, body = self._request("GET", leases)
        if status != http.HTTPStatus.OK:
            return
        for lease in json.loads(body)["items"]:
            name, holder = lease["metadata"]["name"], lease["spec"].get("holderIdentity")
            if holder != name:  # a kubelet holds its own Lease in its node's name, KWOK in its own
                self._request("DELETE", f"{leases}/{name}")

    def _get(self, path: str) -> tuple[int, bytes]:
        return self._request("GET", path)

    def _request(self, method: str, path: str) -> tuple[int, bytes]:
        """Return status and body; status 0 if nobody answers."""
        context = ssl.create_default_context(cafile=str(self.pki / "ca.crt"))
        context.load_cert_chain(self.pki / "admin.crt", self.pki / "admin.key")
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=TIMEOUT_SECONDS, context=context)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()
