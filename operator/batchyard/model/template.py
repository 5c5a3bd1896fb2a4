"""The Pod template of a Job: a whole PodTemplateSpec, of which the schema knows the outline.

The outline refuses the usual mistakes at `kubectl apply` and lets everything else pass to the API server's own check of
Pods, so that fields of newer Kubernetes versions work at once.
"""

import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, WithJsonSchema

from batchyard.model.api import NAME_PATTERN, RULES
from batchyard.model.outline import mistakes

Schema = dict[str, Any]

ANY: Schema = {"x-kubernetes-preserve-unknown-fields": True}
OPEN = "x-kubernetes-preserve-unknown-fields"
RESERVED_ENV = ("AWS_BATCH", "BATCHYARD_")

# Objects and arrays are open inside, but typed as maps and lists of anything: so the API server compares them exactly
# when it checks that a template has not been changed. An object that only preserves unknown fields would be compared by
# the fields it knows.
_SHAPES: dict[str, Schema] = {
    "text": {"type": "string"},
    "flag": {"type": "boolean"},
    "number": {"type": "integer", "format": "int64"},
    "object": {"type": "object", "additionalProperties": ANY},
    "list": {"type": "array", "items": ANY},
    "texts": {"type": "array", "items": {"type": "string"}},
    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
}
_POD_FIELDS = {
    "text": "dnsPolicy hostname hostnameOverride preemptionPolicy runtimeClassName schedulerName serviceAccount "
    "serviceAccountName subdomain",
    "flag": "automountServiceAccountToken enableServiceLinks hostIPC hostNetwork hostPID hostUsers setHostnameAsFQDN "
    "shareProcessNamespace",
    "number": "activeDeadlineSeconds priority terminationGracePeriodSeconds",
    "object": "affinity dnsConfig os overhead resources securityContext",
    "list": "hostAliases imagePullSecrets readinessGates resourceClaims tolerations topologySpreadConstraints volumes",
    "labels": "nodeSelector",
}
_CONTAINER_FIELDS = {
    "text": "imagePullPolicy restartPolicy terminationMessagePath terminationMessagePolicy workingDir",
    "flag": "stdin stdinOnce tty",
    "object": "lifecycle livenessProbe readinessProbe securityContext startupProbe",
    "list": "envFrom ports resizePolicy restartPolicyRules volumeDevices volumeMounts",
}


def _outline(fields: dict[str, str]) -> dict[str, Schema]:
    return {name: _SHAPES[shape] for shape, names in fields.items() for name in names.split()}


def _refused(shape: str, message: str) -> Schema:
    kind = {"type": "array", "items": {"type": "object", OPEN: True}} if shape == "list" else _SHAPES[shape]
    return {**kind, "description": f"Refused: {message}.", RULES: [{"rule": "false", "message": message}]}


_UNRESERVED = "!self.startsWith('AWS_BATCH') && !self.startsWith('BATCHYARD_')"
_IS_LABEL = f"self.matches('{NAME_PATTERN}')"
_IS_NEVER = "self == 'Never'"
_IS_NO_SYSTEM_CLASS = "!self.startsWith('system-')"
_SYSTEM_CLASS = (
    "priorityClassName system-... is for the cluster's own Pods; name another PriorityClass, or leave it out"
)
_RESERVED = "the names AWS_BATCH... and BATCHYARD_... are set by Batchyard; give the variable another name"
_RESTART = "restartPolicy must be Never or absent; say in spec.retry when a Job is tried again"
_NAME = "a container's name is a DNS label of at most 63 characters; use a-z, 0-9 and -"
_QUANTITIES: Schema = {
    "type": "object",
    "maxProperties": 50,
    "additionalProperties": {
        **ANY,  # Kubernetes takes 0.5 without quotes too
        "maxProperties": 0,
        "maxItems": 0,
        "maxLength": 32,
        "minimum": 0,
        "pattern": r"^([0-9]+(\.[0-9]*)?|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?$",
    },
}
RESOURCES: Schema = {
    "description": "CPU, memory and other resources. Placement goes by requests; a limit without a request is both.",
    "type": "object",
    "properties": {
        "requests": {**_QUANTITIES, "description": 'What the node must have free. Example: {cpu: "1", memory: 2Gi}.'},
        "limits": {**_QUANTITIES, "description": "What the container may use at most; above its memory it is killed."},
        "claims": {**_SHAPES["list"], "description": "Names of spec.resourceClaims that the container uses."},
    },
}
ENV_NAME: Schema = {
    "description": "The variable's name. Names that start with AWS_BATCH or BATCHYARD_ are reserved.",
    "type": "string",
    "minLength": 1,
    "maxLength": 1024,
    RULES: [{"rule": _UNRESERVED, "message": _RESERVED}],
}
ENV: Schema = {
    "description": "Environment variables; Ref::name in a value is replaced by the parameter's value.",
    "type": "array",
    "maxItems": 500,
    "items": {
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": ENV_NAME,
            "value": {"description": "Text; put numbers and true in quotes.", "type": "string"},
            "valueFrom": {**_SHAPES["object"], "description": "Where the value comes from, as in a Pod."},
        },
    },
}
CONTAINER_NAME: Schema = {
    "description": "A DNS label, unique in the Pod.",
    "type": "string",
    "minLength": 1,
    "maxLength": 63,
    RULES: [{"rule": _IS_LABEL, "message": _NAME}],
}
COMMAND: Schema = {"type": "array", "maxItems": 1000, "items": {"type": "string"}}
_CONTAINER: Schema = {
    "type": "object",
    OPEN: True,
    "required": ["name", "image"],
    "properties": {
        **_outline(_CONTAINER_FIELDS),
        "name": CONTAINER_NAME,
        "image": {"description": "The image to run.", "type": "string", "minLength": 1, "maxLength": 1024},
        "command": {**COMMAND, "description": "The program and its first arguments; Ref::name is a parameter's value."},
        "args": {**COMMAND, "description": "Further arguments; Ref::name is replaced by the parameter's value."},
        "env": ENV,
        "resources": {**RESOURCES, OPEN: True},
    },
}
_CONTAINERS: Schema = {
    "type": "array",
    "maxItems": 10,
    "items": _CONTAINER,
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["name"],
}
_POD_SPEC: Schema = {
    "description": "The Pod's spec as Kubernetes knows it. Batchyard chooses the node and never restarts containers "
    "in place.",
    "type": "object",
    OPEN: True,
    "required": ["containers"],
    "properties": {
        **_outline(_POD_FIELDS),
        "containers": {
            **_CONTAINERS,
            "minItems": 1,
            "description": "1 to 10 containers. The attempt has succeeded when all of them have exited with 0.",
        },
        "initContainers": {
            **_CONTAINERS,
            "description": "Up to 10 containers that run before the others, or beside them with restartPolicy: Always.",
        },
        "restartPolicy": {
            "description": "Never, which is what it is when absent: a Job is tried again as spec.retry says, in a "
            "new Pod.",
            "type": "string",
            "maxLength": 32,
            RULES: [{"rule": _IS_NEVER, "message": _RESTART}],
        },
        "priorityClassName": {
            "description": "A PriorityClass; not one of the cluster's own, before which a kubelet puts other Pods out.",
            "type": "string",
            "maxLength": 253,
            RULES: [{"rule": _IS_NO_SYSTEM_CLASS, "message": _SYSTEM_CLASS}],
        },
        "nodeName": _refused(
            "text", "nodeName is chosen by Batchyard; use nodeSelector or affinity to narrow the choice"
        ),
        "ephemeralContainers": _refused("list", "ephemeralContainers cannot stand in a template; use containers"),
        "schedulingGates": _refused(
            "list", "schedulingGates are not for Jobs; their Pods are only made when they may start"
        ),
    },
}
TEMPLATE_SCHEMA: Schema = {
    "type": "object",
    "required": ["spec"],
    "properties": {
        "metadata": {
            "description": "Labels and annotations of every Pod; the name and the namespace are Batchyard's to choose.",
            "type": "object",
            "properties": {
                "labels": {**_SHAPES["labels"], "description": "Labels of every Pod."},
                "annotations": {**_SHAPES["labels"], "description": "Annotations of every Pod."},
                "creationTimestamp": {
                    "description": "Ignored; tools write null here.",
                    "type": "string",
                    "format": "date-time",
                    "nullable": True,
                },
            },
        },
        "spec": _POD_SPEC,
    },
}


HOLDS: dict[str, Callable[[Any], bool]] = {
    _UNRESERVED: lambda name: not name.startswith(RESERVED_ENV),
    _IS_LABEL: lambda name: re.match(NAME_PATTERN, name) is not None,
    _IS_NEVER: lambda policy: policy == "Never",
    _IS_NO_SYSTEM_CLASS: lambda name: not name.startswith("system-"),
}
"""What the rules of the outline say, in Python."""


def _check(template: Schema) -> Schema:
    found = list(mistakes(template, TEMPLATE_SCHEMA, "template", HOLDS))
    if found:
        raise ValueError("; ".join(found))
    return template


PodTemplate = Annotated[dict[str, Any], AfterValidator(_check), WithJsonSchema(TEMPLATE_SCHEMA)]
"""A PodTemplateSpec as plain JSON, checked for what Batchyard cannot run."""
