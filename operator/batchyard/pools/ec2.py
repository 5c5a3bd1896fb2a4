"""Nodes that are EC2 instances: each an instant fleet of one, whose tags are all that is known of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import structlog

from batchyard.model.machine import LaunchOrder, Machine
from batchyard.model.offer import Inquiry, Quotation, moved
from batchyard.pools import ec2_instance as ec2
from batchyard.pools.base import ProviderError
from batchyard.pools.ec2_cloud import UNAVAILABLE, AwsError, Cloud
from batchyard.pools.ec2_market import Market
from batchyard.pools.ec2_notices import MOST, deadline, deletion
from batchyard.pools.ec2_offers import quotation

log = structlog.get_logger(__name__)

SECONDS_TO_APPEAR = 60.0  # EC2 may list an instance later than it says that it made it
SECONDS_TO_DIE = 110.0
QUEUE_SECONDS = 5.0  # between looks at the queue of notices, of which each is given two minutes before
PAGE = 500
Instance = Mapping[str, Any]


class Ec2Provider:
    """The verbs on EC2; `cluster` is the uid of kube-system, `settings` gives all environments' spec.provider.ec2.

    An instance past its notice is terminated by whoever looks: what was said to be reclaimed costs no longer.
    """

    def __init__(
        self,
        cluster: str,
        settings: Callable[[], Iterable[Mapping[str, Any]]],
        *,
        cloud: Cloud | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._cluster = cluster
        self._settings = settings
        self._cloud = cloud or Cloud()
        self._now = now
        self._market = Market(self._cloud, now)
        self._known: set[str] = set()  # regions; also those whose environment went while we looked
        self._polled: dict[str, float] = {}

    async def observe(self) -> Sequence[Machine]:
        """Every machine of this cluster in all regions of its environments, until its instance is terminated."""
        seen = await asyncio.gather(*(self._observe(region) for region in self._regions()))
        return [machine for machines in seen for machine in machines]

    async def launch(self, order: LaunchOrder) -> None:
        """Has one instance made; returns once everybody who asks EC2 sees it, not when its node is Ready."""
        wanted = ec2.options(order.settings)
        self._known.add(wanted.region)
        if await self._instances(wanted.region, order.name):
            return
        answer = await self._call(wanted.region, "create_fleet", **ec2.fleet(order, wanted, self._cluster))
        refused = ec2.refusal(answer)
        if refused is not None:
            raise refused
        await self._reprice(wanted.region, order, await self._appears(wanted.region, order.name))

    async def retire(self, name: str) -> None:
        """Terminates the instance and waits until EC2 says `terminated`, for a job may run until then."""
        for region in self._regions():
            found = await self._instances(region, name)
            if found:
                await self._terminate(region, found)
                await self._dies(region, name)

    async def interrupt(self, name: str, notice_seconds: float) -> None:
        """Notes on the instance that it is taken back; a second notice moves the end."""
        for region in self._regions():
            running = [one for one in await self._instances(region, name) if one["State"]["Name"] == "running"]
            if running:
                until = self._now() + notice_seconds
                await self._note(region, {one["InstanceId"]: until for one in running})
                return
        raise ProviderError(f"no EC2 node {name} is running in this cluster", reason="NotFound")

    async def offers(self, inquiry: Inquiry) -> Quotation:
        """Sizes from DescribeInstanceTypes, prices from the price list and the history of spot prices."""
        return await quotation(self._market, inquiry)

    def _regions(self) -> list[str]:
        self._known |= {settings["region"] for settings in self._settings()}
        return sorted(self._known)

    async def _observe(self, region: str) -> list[Machine]:
        await self._take_notices(region)
        found = await self._instances(region)
        over = [instance for instance in found if ec2.notice_is_over(instance, self._now())]
        if over:
            await self._try("terminate what is past its notice", self._terminate(region, over))
        # Of two with one name, which no crash of ours should make, the one that lives is the machine.
        ordered = sorted(found, key=lambda instance: instance["State"]["Name"] in {"pending", "running"})
        return list({machine.name: machine for machine in map(ec2.machine, ordered)}.values())

    async def _take_notices(self, region: str) -> None:
        queues = {ec2.options(given).queue for given in self._settings() if given["region"] == region} - {""}
        for queue in sorted(queues):
            if time.monotonic() - self._polled.get(queue, -QUEUE_SECONDS) >= QUEUE_SECONDS:
                self._polled[queue] = time.monotonic()
                await self._try(f"read {queue}", self._drain(region, queue))

    async def _drain(self, region: str, queue: str) -> None:
        """Note the warnings of our own instances on them; those of others in the account are of no use to anybody."""
        while True:
            asked = {"QueueUrl": queue, "MaxNumberOfMessages": MOST, "WaitTimeSeconds": 0}
            messages = (await self._cloud.call("sqs", region, "receive_message", asked)).get("Messages") or ()
            if not messages:
                return
            warned = dict(filter(None, map(deadline, messages)))
            if warned:
                ours = {instance["InstanceId"] for instance in await self._instances(region)}
                await self._note(region, {instance: until for instance, until in warned.items() if instance in ours})
            await self._cloud.call("sqs", region, "delete_message_batch", deletion(queue, messages))

    async def _note(self, region: str, until: Mapping[str, float]) -> None:
        for instance, moment in until.items():
            tag = {"Key": ec2.NOTICE, "Value": f"{moment:.0f}"}
            await self._call(region, "create_tags", Resources=[instance], Tags=[tag])

    async def _instances(self, region: str, name: str = "", *also: str) -> list[Instance]:
        """Return our instances that are not yet gone for certain, and those in `also`; of one name or of all."""
        filters = {f"tag:{ec2.CLUSTER}": [self._cluster], "instance-state-name": [*ec2.ALIVE, *also]}
        filters |= {f"tag:{ec2.NODE}": [name]} if name else {}
        asked = [{"Name": key, "Values": values} for key, values in filters.items()]
        found: list[Instance] = []
        page: dict[str, str] = {}
        while True:
            answer = await self._call(region, "describe_instances", Filters=asked, MaxResults=PAGE, **page)
            found += [instance for group in answer["Reservations"] for instance in group["Instances"]]
            if not answer.get("NextToken"):
                return [instance for instance in found if ec2.NODE in ec2.tags(instance)]
            page = {"NextToken": answer["NextToken"]}

    async def _terminate(self, region: str, instances: Sequence[Instance]) -> None:
        try:
            ids = [instance["InstanceId"] for instance in instances]
            await self._call(region, "terminate_instances", InstanceIds=ids)
        except AwsError as error:
            if error.code != "InvalidInstanceID.NotFound":
                raise

    async def _appears(self, region: str, name: str) -> list[Instance]:
        due, pause = time.monotonic() + SECONDS_TO_APPEAR, 0.1
        while not (found := await self._instances(region, name, "terminated")):
            if time.monotonic() > due:
                raise ProviderError(f"EC2 made {name} and does not list it yet", reason=UNAVAILABLE)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 2.0)
        if all(instance["State"]["Name"] == "terminated" for instance in found):
            why = (found[0].get("StateReason") or {}).get("Message", "no reason given")
            raise ProviderError(f"EC2 ended instance {found[0]['InstanceId']} at once: {why}")
        return found

    async def _reprice(self, region: str, order: LaunchOrder, instances: Iterable[Instance]) -> None:
        """Note what an instance costs as the type and in the zone that EC2 has chosen, where that is not as asked."""
        asked, spot = order.shape.price_asked(order.capacity_type), order.capacity_type == "Spot"
        for each in instances if asked else ():
            zone = each.get("Placement", {}).get("AvailabilityZone", "")
            price = self._market.price(region, each["InstanceType"], zone, spot=spot)
            if moved(asked, price):
                tag = {"Key": ec2.PRICE, "Value": price}
                await self._try(
                    "note a price", self._call(region, "create_tags", Resources=[each["InstanceId"]], Tags=[tag])
                )

    async def _dies(self, region: str, name: str) -> None:
        due, pause = time.monotonic() + SECONDS_TO_DIE, 0.1
        while left := await self._instances(region, name):
            if time.monotonic() > due:
                state = left[0]["State"]["Name"]
                raise ProviderError(f"instance {left[0]['InstanceId']} of {name} is still {state}", reason=UNAVAILABLE)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 3.0)

    async def _try(self, what: str, work: Any) -> None:
        """Do what looking at the machines must not fail of."""
        try:
            await work
        except ProviderError as error:
            log.warning("ec2: cannot do", what=what, error=str(error))

    async def _call(self, region: str, operation: str, **arguments: Any) -> dict[str, Any]:
        return await self._cloud.call("ec2", region, operation, arguments)
