#!/bin/bash
# chart_lint.sh PYTHON: render the chart with all its switches; put it before helm lint, kubeconform and checkov.
set -euo pipefail
python=$1
chart=charts/batchyard
cache=${BATCHYARD_CACHE:-$HOME/.cache/batchyard}
tool() { "$python" -m devcluster tools "$1"; }
helm=$(tool helm)
kubeconform=$(tool kubeconform)
checkov=$(tools/make_checkov.sh "$python")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

switches=(--set defaults.enabled=true --set networkPolicy.enabled=true --set metrics.serviceMonitor.enabled=true
  --set metrics.prometheusRule.enabled=true --set metrics.dashboards.enabled=true)
render() { "$helm" template batchyard "$chart" --namespace batchyard-system "${@:2}" >"$scratch/$1.yaml"; }
"$helm" lint --strict --quiet "$chart"
render default
render all "${switches[@]}"
render providers --set providers.docker.enabled=true --set providers.simulated.enabled=true --set providers.karpenter.enabled=true \
  --set providers.clusterAPI.enabled=true
render namespaced --set 'namespaces={team-a,team-b}' --set operator.replicas=1
echo "helm: no complaints, with 4 sets of values"

# No schemas can be downloaded everywhere; those of the API server that the tests run are at hand, and are asked for once.
version=$("$python" -c 'from devcluster.programs import KUBERNETES; print(KUBERNETES)')
schemas=$cache/schemas-$version
if [[ ! -d $schemas ]]; then
  "$python" -m devcluster up
  "$python" tools/openapi_schemas.py "$schemas"
fi
# ServiceMonitor and PrometheusRule are the Prometheus operator's; their contents are checked by promtool.
"$kubeconform" -strict -summary -skip ServiceMonitor,PrometheusRule \
  -schema-location "$schemas/{{.ResourceKind}}-{{.Group}}-{{.ResourceAPIVersion}}.json" "$scratch"/*.yaml

"$checkov" --framework kubernetes --config-file "$chart/checkov.yaml" --directory "$scratch" --quiet --compact
echo "chart-lint: no complaints"
