"""What an attempt needs to go on where the one before it stopped: a volume, and word of when its node goes."""

import re
from typing import ClassVar, Literal

from pydantic import Field

from batchyard.model.api import ApiModel, Quantity, Rule

MOUNT_PATTERN = "^/[^:]+$"


class Checkpoint(ApiModel):
    """A volume that follows a Job from attempt to attempt, and the file with the moment at which its node goes."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.claimName) || !has(self.size)",
            "spec.checkpoint has both claimName and size; name a claim that is there, or give the size of one to make",
            lambda c: c.claim_name is None or c.size is None,
        ),
        Rule(
            "!has(self.storageClassName) || has(self.size)",
            "spec.checkpoint.storageClassName is for a claim that is to be made; give its size too",
            lambda c: c.storage_class_name is None or c.size is not None,
            "storageClassName",
        ),
        Rule(
            f"self.mountPath.matches('{MOUNT_PATTERN}')",
            "spec.checkpoint.mountPath is an absolute path other than / and without a colon; write for example "
            "/checkpoint",
            lambda c: re.match(MOUNT_PATTERN, c.mount_path) is not None,
            "mountPath",
        ),
    )

    claim_name: str | None = Field(
        default=None,
        min_length=1,
        max_length=253,
        description="A PersistentVolumeClaim in the Job's namespace. Children of an array and nodes of a multi-node "
        "Job have a directory of their own in it, named by their index. Example: results.",
    )
    size: Quantity | None = Field(
        default=None,
        description="Size of a PersistentVolumeClaim that is made for the Job, one for each child of an array or node "
        "of a multi-node Job, and deleted with the Job. Absent, as claimName: no volume. Example: 1Gi.",
    )
    storage_class_name: str | None = Field(
        default=None,
        max_length=253,
        description="StorageClass of the claim that is made; absent: the cluster's default. Example: standard.",
    )
    access_mode: Literal["ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"] = Field(
        default="ReadWriteOnce", description="Access mode of the claim that is made; ReadWriteOnce by default."
    )
    mount_path: str = Field(
        default="/checkpoint",
        min_length=2,
        max_length=1024,
        description="Where every container has the volume, /checkpoint by default; BATCHYARD_CHECKPOINT_DIR says it "
        "too.",
    )
