{{- /* The operator's rights, each with its reason in docs/rights.md; a test compares the two. */ -}}

{{- define "batchyard.rules.pools" -}}
# What belongs to the cluster: read all, write what came of it in its status.
- apiGroups: [batchyard.dev]
  resources: [computeenvironments, jobqueues, schedulingpolicies, consumableresources]
  verbs: [get, list, watch]
- apiGroups: [batchyard.dev]
  resources: [computeenvironments/status, jobqueues/status, schedulingpolicies/status, consumableresources/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [nodes]
  verbs: [get, list, watch]
{{- end -}}

{{- define "batchyard.rules.scaling" -}}
# The finalizer on managed environments, whose nodes cost money.
- apiGroups: [batchyard.dev]
  resources: [computeenvironments]
  verbs: [patch]
{{- if or .Values.providers.docker.enabled .Values.providers.simulated.enabled .Values.providers.ec2.enabled .Values.providers.karpenter.enabled .Values.providers.clusterAPI.enabled }}
# Nodes whose machines are gone.
- apiGroups: [""]
  resources: [nodes]
  verbs: [delete]
{{- end }}
{{- if .Values.providers.simulated.enabled }}
- apiGroups: [""]
  resources: [nodes]
  verbs: [create]
{{- end }}
{{- if .Values.providers.karpenter.enabled }}
# A node is a NodeClaim of ours; no NodePool and no node class is touched.
- apiGroups: [karpenter.sh]
  resources: [nodeclaims]
  verbs: [get, list, create, patch, delete]
{{- end }}
{{- if .Values.providers.clusterAPI.enabled }}
# Cluster API hands no labels and taints of ours on to a node.
- apiGroups: [""]
  resources: [nodes]
  verbs: [patch]
{{- end }}
{{- end -}}

{{- define "batchyard.rules.machines" -}}
# A node is a MachineSet of ours with one Machine, copied from a MachineDeployment that is only read.
- apiGroups: [cluster.x-k8s.io]
  resources: [machinesets]
  verbs: [get, list, create, patch, delete]
- apiGroups: [cluster.x-k8s.io]
  resources: [machines]
  verbs: [list, patch]
- apiGroups: [cluster.x-k8s.io]
  resources: [machinedeployments]
  verbs: [get]
{{- end -}}

{{- define "batchyard.rules.jobs" -}}
# Jobs, definitions and schedules: read all, write what came of them in their status.
- apiGroups: [batchyard.dev]
  resources: [batchjobs, jobdefinitions, jobschedules]
  verbs: [get, list, watch]
- apiGroups: [batchyard.dev]
  resources: [batchjobs/status, jobdefinitions/status, jobschedules/status]
  verbs: [patch]
# Schedules submit jobs, and with concurrencyPolicy Replace terminate them by spec.stop; finished jobs go after their
# time to live.
- apiGroups: [batchyard.dev]
  resources: [batchjobs]
  verbs: [create, patch, delete]
# An attempt is a Pod; of an array those that ended well go by hundreds.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, create, patch, delete, deletecollection]
# The nodes of a multi-node job find each other by a headless Service, which goes with the job.
- apiGroups: [""]
  resources: [services]
  verbs: [get, create]
# A checkpoint of a given size is a volume claim of the job's own, which goes with it.
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get, create]
# The revisions of a job definition, which go with it.
- apiGroups: [apps]
  resources: [controllerrevisions]
  verbs: [list, watch, create]
- apiGroups: [""]
  resources: [events]
  verbs: [create]
{{- if .Values.advice.enabled }}
# What pods use, where there is a metrics API.
- apiGroups: [metrics.k8s.io]
  resources: [pods]
  verbs: [list]
{{- end }}
{{- end -}}

{{- define "batchyard.rules.own" -}}
# One operator leads; the others wait for its Lease.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [batchyard-operator]
  verbs: [get, patch]
# The pod that leads wears a label, by which its Service finds it.
- apiGroups: [""]
  resources: [pods]
  verbs: [patch]
# What became of jobs that are long gone, for those that wait for them; it goes with their namespace by itself.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [list, watch, create, patch]
{{- if .Values.providers.docker.enabled }}
# New nodes join with a token of the bootstrapper, never with one of ours.
- apiGroups: [""]
  resources: [serviceaccounts/token]
  resourceNames: [batchyard-node-bootstrapper]
  verbs: [create]
{{- end }}
{{- end -}}

{{- define "batchyard.subject" -}}
- kind: ServiceAccount
  name: {{ include "batchyard.serviceAccount" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}
