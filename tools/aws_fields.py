"""Write docs/aws-fields.txt: every input field of the operations of AWS Batch that docs/aws-batch.md compares.

    python tools/aws_fields.py botocore-*.whl >docs/aws-fields.txt

takes the service model out of a wheel of botocore (pip download --no-deps botocore). A structure that occurs again
further down in the same operation is listed once, where it is least deep.
"""

from __future__ import annotations

import gzip
import json
import sys
import zipfile
from collections.abc import Iterator
from typing import Any

MODEL = "botocore/data/batch/2016-08-10/service-2.json.gz"
OPERATIONS = (
    "SubmitJob", "RegisterJobDefinition", "CreateJobQueue", "CreateComputeEnvironment", "CreateSchedulingPolicy",
    "CreateConsumableResource",
)  # fmt: skip


def fields(shapes: dict[str, Any], top: str) -> Iterator[str]:
    """Yield the paths of all fields of a structure, level by level; `[]` marks a list."""
    seen, level = {top}, [("", top)]
    while level:
        deeper = []
        for path, structure in level:
            for name, member in shapes[structure]["members"].items():
                shape, marks = _element(shapes, member["shape"])
                yield f"{path}{name}{marks}"
                if shapes[shape]["type"] == "structure" and shape not in seen:
                    seen.add(shape)
                    deeper.append((f"{path}{name}{marks}.", shape))
        level = deeper


def _element(shapes: dict[str, Any], shape: str) -> tuple[str, str]:
    marks = ""
    while shapes[shape]["type"] == "list":
        shape, marks = shapes[shape]["member"]["shape"], f"{marks}[]"
    return shape, marks


def main(wheel: str) -> None:
    """Print one line per field: the operation and the path."""
    with zipfile.ZipFile(wheel) as archive:
        model = json.loads(gzip.decompress(archive.read(MODEL)))
    for operation in OPERATIONS:
        for path in fields(model["shapes"], model["operations"][operation]["input"]["shape"]):
            sys.stdout.write(f"{operation} {path}\n")


if __name__ == "__main__":
    main(sys.argv[1])
