"""`python3 -m devcluster COMMAND`: what the make targets call."""

import argparse
import sys
from pathlib import Path

from . import cluster, clusterapi, karpenter, kind, kwok, teardown
from .console import say
from .errors import SetupError
from .layout import Layout
from .programs import names, path_of


def main(arguments: list[str]) -> int:
    """Run one command; return 0 if it did what it says."""
    options = _parser().parse_args(arguments)
    try:
        return _run(options, Layout.from_environment())
    except SetupError as reason:
        say(f"{reason}")
        return 1
    except KeyboardInterrupt:
        say("Interrupted. The same command goes on where this one stopped; `make cluster-down` removes everything.")
        return 130


def _run(options: argparse.Namespace, layout: Layout) -> int:
    if not sys.platform.startswith("linux") and not getattr(options, "kind", False):
        raise SetupError("Only Linux can run this cluster: elsewhere install docker and kind, and use CLUSTER=kind.")
    match options.command:
        case "up" if options.kind:
            kind.up(layout, options.kind_config)
        case "up":
            cluster.up(layout)
        case "down":
            teardown.down(layout)
        case "status":
            return 0 if cluster.status(layout) else 1
        case "kwok":
            {"up": kwok.up, "down": kwok.down}[options.verb](layout)
        case "karpenter":
            {"up": karpenter.up, "down": karpenter.down}[options.verb](layout)
        case "cluster-api":
            {"up": clusterapi.up, "down": clusterapi.down}[options.verb](layout)
        case "tools":
            for name in options.names or names():
                print(path_of(name, layout))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m devcluster", description="A real Kubernetes on one machine.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="bring the cluster up, or mend it")
    up.add_argument("--kind", action="store_true", help="with kind and docker instead of our own control plane")
    up.add_argument("--kind-config", type=Path, metavar="FILE", help="how kind makes the cluster, if there is none")
    commands.add_parser("down", help="remove the cluster and everything that belongs to it")
    commands.add_parser("status", help="say what runs; exit code 0 if the API server is ready")
    simulation = commands.add_parser("kwok", help="simulate the nodes labelled batchyard.dev/provider=simulated")
    simulation.add_argument("verb", choices=["up", "down"])
    claims = commands.add_parser("karpenter", help="run Karpenter with a cloud of simulated nodes")
    claims.add_argument("verb", choices=["up", "down"])
    machines = commands.add_parser("cluster-api", help="run the core controllers of Cluster API")
    machines.add_argument("verb", choices=["up", "down"])
    tools = commands.add_parser("tools", help="build programs (all if none is named) and print their paths")
    tools.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names()))
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
