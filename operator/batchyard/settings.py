"""Settings of the operator process, from the environment (BATCHYARD_...)."""

from __future__ import annotations

from os import getpid
from secrets import token_hex
from socket import gethostname
from typing import Annotated

from pydantic import AliasChoices, BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def _names(text: object) -> object:
    """Return what commas part; a list stays as it is."""
    return tuple(filter(None, (name.strip() for name in text.split(",")))) if isinstance(text, str) else text


class Settings(BaseSettings):
    """How the operator runs; every setting is an environment variable with the prefix BATCHYARD_."""

    model_config = SettingsConfigDict(env_prefix="BATCHYARD_", frozen=True)

    kubeconfig: str | None = Field(
        None, description="Kubeconfig file; absent: $KUBECONFIG, the pod's own, ~/.kube/config."
    )
    host: str = Field("0.0.0.0", description="Address of /metrics, /healthz, /readyz.")  # noqa: S104
    port: int = Field(8080, description="Port of /metrics, /healthz, /readyz; 0 takes any free one.")
    namespace: str = Field(
        "batchyard-system",
        validation_alias=AliasChoices("BATCHYARD_NAMESPACE", "POD_NAMESPACE"),
        description="The operator's own namespace; in a pod that of the pod.",
    )
    namespaces: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)] = Field(
        (),
        description="Comma-separated: only jobs of these namespaces, no scaling of nodes; empty: the whole cluster.",
    )
    pod: str = Field(
        "",
        validation_alias=AliasChoices("BATCHYARD_POD", "POD_NAME"),
        description="The pod that we are; it is labelled while we lead, for its Service.",
    )
    identity: str = Field(
        default_factory=lambda: f"{gethostname()}-{getpid()}-{token_hex(3)}",
        validation_alias=AliasChoices("BATCHYARD_IDENTITY", "POD_NAME"),
        description="Who holds the Lease; in a pod the pod's name. No two operators may share it.",
    )
    lease_seconds: float = Field(
        15.0,
        ge=1,
        description="A leader that does not renew its Lease for so long is replaced; it gives up itself after 2/3.",
    )
    connections: int = Field(32, ge=2, description="Requests to the API server in flight at once.")
    relist_seconds: float = Field(600.0, gt=0, description="Time between full lists that find what a watch missed.")
    observe_seconds: float = Field(1.0, gt=0, description="Time between looks at a provider that has machines.")
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="DEBUG, INFO, WARNING or ERROR.")
    log_format: str = Field("json", pattern="^(json|console)$", description="json for machines, console for people.")
    stale_seconds: float = Field(90.0, gt=0, description="Age of the last cycle or watch byte at which probes fail.")
    page: bool = Field(True, description="Whether the status page and /v1/status are served; they show all namespaces.")
    advice: bool = Field(True, description="Whether definitions are told of their pods' size and of their images.")
    advice_seconds: float = Field(60.0, gt=0, description="Time between looks at what pods use, by the metrics API.")
    docker: bool = Field(True, description="Whether the docker provider may be used.")
    ec2: bool = Field(True, description="Whether the ec2 provider may be used; its AWS credentials are boto3's own.")

    @property
    def off(self) -> frozenset[str]:
        """The providers that may not be used."""
        return frozenset(name for name, on in (("docker", self.docker), ("ec2", self.ec2)) if not on)
