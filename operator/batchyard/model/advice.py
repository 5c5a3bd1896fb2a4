"""What the Pods of a definition were seen to use, and what they should ask for."""

from pydantic import Field

from batchyard.model.api import ApiModel, Spent


class Amounts(ApiModel):
    """CPU and memory of one Pod, all its containers together."""

    cpu: str = Field(max_length=32, description='As in a template, for example "250m".')
    memory: str = Field(max_length=32, description='As in a template, for example "512Mi".')


class Advice(ApiModel):
    """Requests against use, of the latest Pods of one revision."""

    revision: int = Field(ge=1, description="The revision whose Pods were looked at.")
    pods: int = Field(ge=0, description="How many were looked at until their end, of the latest 50.")
    asked: Amounts = Field(description="What a Pod asks for.")
    used: Amounts = Field(description="The most that was seen of one, looked at once a minute.")
    suggested: Amounts | None = Field(
        default=None,
        description="The most that was used, and a quarter of memory or 15 % of CPU more; what is asked for where that "
        "is near enough. Absent while fewer than 3 Pods are known.",
    )
    saves_per_hour: Spent | None = Field(
        default=None,
        description="What the suggestion saves of each hour of a Pod, by the price of its node. Absent where nodes "
        "have no price, or more is to be asked for.",
    )
    saves_per_thousand_pods: Spent | None = Field(
        default=None, description="The same for 1,000 Pods that run as long as they do in the mean."
    )
