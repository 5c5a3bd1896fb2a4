"""`python -m batchyard`: run the operator, or one of the commands for people."""

from __future__ import annotations

import sys

import kopf
import structlog
import uvloop
from kubernetes.config.config_exception import ConfigException
from pydantic import ValidationError

from batchyard.cli import ensure
from batchyard.cli.main import cli
from batchyard.engine.engine import DEFECT, Engine
from batchyard.handlers import kinds, life
from batchyard.handlers.storage import NoMemories
from batchyard.kube.credentials import Credentials
from batchyard.settings import Settings
from batchyard.telemetry import logs

__all__ = ["main", "operate"]


async def operate(settings: Settings, credentials: Credentials) -> None:
    """Run the operator until it is told to stop."""
    registry = kopf.OperatorRegistry()
    engine = Engine(settings, credentials)
    life.register(registry, engine, credentials)
    kinds.register(registry, engine.ingest)
    await engine.open()
    await kopf.operator(
        registry=registry,
        clusterwide=not settings.namespaces,
        namespaces=settings.namespaces,
        standalone=True,
        memories=NoMemories(),
    )


def _complaint(error: Exception) -> str:
    """Return a configuration error in a sentence that names the setting."""
    if isinstance(error, ValidationError):
        return "; ".join(
            f"BATCHYARD_{str(e['loc'][0]).upper()}: {e['msg']} (is {e['input']!r})" for e in error.errors()
        )
    return f"no usable kubeconfig (BATCHYARD_KUBECONFIG, KUBECONFIG): {error}"


@cli.command()
def run() -> None:
    """Run the operator against the cluster of $KUBECONFIG, or of the pod it is in."""
    try:
        settings = Settings()
        logs.configure(settings.log_level, settings.log_format)
        credentials = Credentials.load(settings.kubeconfig)
    except (ValidationError, ConfigException, OSError) as error:
        sys.exit(f"batchyard: {_complaint(error)}")
    try:
        uvloop.run(operate(settings, credentials))
    except OSError as error:
        sys.exit(f"batchyard: cannot listen on BATCHYARD_HOST, BATCHYARD_PORT: {error}")
    except Exception as error:
        structlog.get_logger().critical(DEFECT, exc_info=error)
        sys.exit(1)


cli.add_command(ensure.command)


def main() -> None:
    """Entry point of the `batchyard` command."""
    cli()


if __name__ == "__main__":
    main()
