"""What a Job changes in the template of its definition."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field, WithJsonSchema

from batchyard.model.api import ApiModel
from batchyard.model.outline import mistakes
from batchyard.model.template import COMMAND, CONTAINER_NAME, ENV, HOLDS, RESOURCES

_Json = dict[str, Any]

_OVERRIDE_ENV = {**ENV, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}


def _as(schema: _Json) -> AfterValidator:
    """Check plain JSON as the API server does."""

    def check(value: Any) -> Any:
        found = list(mistakes(value, schema, "it", HOLDS))
        if found:
            raise ValueError("; ".join(found))
        return value

    return AfterValidator(check)


class ContainerOverride(ApiModel):
    """What differs from the template in one container."""

    name: Annotated[str, Field(min_length=1, max_length=63), WithJsonSchema(CONTAINER_NAME)] = Field(
        description="Name of the container in the template."
    )
    image: str | None = Field(
        default=None, min_length=1, max_length=1024, description="Image instead of the template's."
    )
    command: Annotated[tuple[str, ...], WithJsonSchema(COMMAND)] | None = Field(
        default=None, description="Command instead of the template's; Ref::name is replaced by the parameter's value."
    )
    args: Annotated[tuple[str, ...], WithJsonSchema(COMMAND)] | None = Field(
        default=None, description="Arguments instead of the template's; Ref::name is replaced by the parameter's value."
    )
    env: Annotated[tuple[_Json, ...], _as(_OVERRIDE_ENV), WithJsonSchema(_OVERRIDE_ENV)] = Field(
        default_factory=tuple,
        description="Environment variables added to the template's; one of the same name is replaced. AWS: "
        "environment.",
    )
    resources: Annotated[_Json, _as(RESOURCES), WithJsonSchema(RESOURCES)] = Field(
        default_factory=dict,
        description="Requests and limits added to the template's; a resource of the same name is replaced. Example: "
        "{requests: {memory: 4Gi}, limits: {memory: 4Gi}}. AWS: resourceRequirements.",
    )


def _once(containers: tuple[ContainerOverride, ...]) -> tuple[ContainerOverride, ...]:
    if len({container.name for container in containers}) < len(containers):
        raise ValueError("spec.overrides.containers names a container twice; merge the two entries")
    return containers


class Overrides(ApiModel):
    """What differs from the template in this Job."""

    containers: Annotated[tuple[ContainerOverride, ...], AfterValidator(_once)] = Field(
        default_factory=tuple,
        max_length=20,
        description="Containers that differ, merged into the template by name; one that the template does not have "
        "fails the Job. Example: [{name: main, command: [render, Ref::scene]}]. AWS: containerOverrides.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )
