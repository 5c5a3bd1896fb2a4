"""What is built: the control plane from our own module; KWOK, Karpenter, helm and the checkers as published."""

import re
from pathlib import Path

from .errors import SetupError
from .gobuild import Program, built
from .layout import Layout

KUBERNETES = "v1.36.3"
_MINOR = re.sub(r"^v1\.(\d+)\..*", r"\1", KUBERNETES)
_VERSION = "k8s.io/component-base/version"

CONTROL_PLANE = Program(
    title="Kubernetes control plane",
    name="controlplane",
    version=KUBERNETES,
    source=Path(__file__).parent / "controlplane",
    links=("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kubectl", "pki"),
    ldflags=f"-X {_VERSION}.gitVersion={KUBERNETES} -X {_VERSION}.gitMajor=1 -X {_VERSION}.gitMinor={_MINOR}",
    gibibytes=6,
)
KWOK = Program(
    title="KWOK node simulator",
    name="kwok",
    version="v0.8.0",
    module="sigs.k8s.io/kwok",
    package="./cmd/kwok",
    ldflags="-X sigs.k8s.io/kwok/pkg/consts.Version=v0.8.0",
)
HELM = Program(
    title="helm client",
    name="helm",
    version="v3.22.0",
    module="helm.sh/helm/v3",
    package="./cmd/helm",
    ldflags="-X helm.sh/helm/v3/internal/version.version=v3.22.0",
)
KUBECONFORM = Program(
    title="kubeconform, a checker of manifests",
    name="kubeconform",
    version="v0.8.0",
    module="github.com/yannh/kubeconform",
    package="./cmd/kubeconform",
    ldflags="-X main.version=v0.8.0",
)
ACTIONLINT = Program(
    title="actionlint",
    name="actionlint",
    version="v1.7.12",
    module="github.com/rhysd/actionlint",
    package="./cmd/actionlint",
    ldflags="-X github.com/rhysd/actionlint.version=v1.7.12",
)


def _of_prometheus(name: str) -> Program:
    """A program of Prometheus without its web pages, and without what finds targets in clouds."""
    version = "v0.316.0"  # how Go counts 3.16.0
    return Program(
        title=f"{name} of Prometheus",
        name=name,
        version=version,
        module="github.com/prometheus/prometheus",
        package=f"./cmd/{name}",
        ldflags="-X github.com/prometheus/common/version.Version=3.16.0",
        tags="netgo,remove_all_sd",
    )


PROMETHEUS, PROMTOOL = _of_prometheus("prometheus"), _of_prometheus("promtool")
KARPENTER = Program(
    title="Karpenter with its KWOK cloud",
    name="karpenter-kwok",
    version="v1.14.1",
    module="sigs.k8s.io/karpenter",
    package="./kwok",
    keeps=("pkg/apis/crds/*.yaml", "kwok/apis/crds/*.yaml"),
)
CLUSTER_API = Program(
    title="Cluster API's core controllers",
    name="cluster-api",
    version="v1.14.2",
    module="sigs.k8s.io/cluster-api",
    source=Path(__file__).parent / "clusterapi",
    package="sigs.k8s.io/cluster-api/core",
    gibibytes=3,
    keeps=("core/config/crd/bases/*.yaml", "core/config/webhook/manifests.yaml"),
)
ALL = (CONTROL_PLANE, KWOK, HELM)  # what everybody needs
ASKED_FOR = (KUBECONFORM, ACTIONLINT, PROMETHEUS, PROMTOOL, KARPENTER, CLUSTER_API)  # built when they are named


def path_of(name: str, layout: Layout) -> Path:
    """Return the path of a program by its name, building what holds it if need be."""
    for program in (*ALL, *ASKED_FOR):
        if name == program.name or name in program.links:
            return built(program, layout) / name
    known = [*names(), *(program.name for program in ASKED_FOR)]
    raise SetupError(f"There is no tool {name!r}; there are: {', '.join(known)}.")


def names() -> list[str]:
    """Return the names of what everybody needs."""
    return [name for program in ALL for name in (program.links or (program.name,))]
