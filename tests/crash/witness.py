"""What there was to see of pods and jobs, seen by somebody who needs no operator and forgives an API server's death."""

from __future__ import annotations

import time
from typing import Any

from cluster.recorder import PodRun, Recorder
from cluster.rest import Body, place


class Witness(Recorder):
    """Begins anew with a list when its watch breaks; what is absent then is over."""

    def _follow(self, kind: str, take: Any, query: str, version: str) -> None:
        while not self._ended:
            try:
                path = f"{place(kind)}?watch=1&allowWatchBookmarks=true&resourceVersion={version}&{query}"
                for event in self.api.stream(path):
                    if event["type"] == "ERROR":
                        raise ConnectionError(event["object"].get("message"))
                    version = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        take(event["type"], event["object"])
            except Exception:
                version = self._anew(kind, take, query)

    def _anew(self, kind: str, take: Any, query: str) -> str:
        while True:
            try:
                listed = self.api.call("GET", f"{place(kind)}?{query}")
                break
            except Exception:
                if self._ended:
                    return ""
                time.sleep(0.05)  # the API server is away
        items = sorted(listed["items"], key=lambda item: item["metadata"]["creationTimestamp"])
        for item in items:
            take("ADDED", {"kind": kind, **item})
        if kind == "Pod":
            there = {item["metadata"]["uid"] for item in items}
            for uid, run in list(self.pods.items()):
                run.over = run.over or uid not in there
        if kind == "Node":
            self._nodes(items)
        return str(listed["metadata"]["resourceVersion"])

    def _nodes(self, items: list[Body]) -> None:
        there = {item["metadata"]["name"] for item in items}
        for names in self.nodes.values():
            names &= there

    def forget(self) -> None:
        """Begin anew: history itself does."""
        for table in (self.pods, self.statuses, self.phases, self.nodes, self._runs, self._namespace):
            table.clear()

    def twice(self) -> list[PodRun]:
        """Pods beyond the first of the same try of the same thing: each would be a run too many."""
        seen: dict[tuple[Any, ...], PodRun] = {}
        again = []
        for run in self.pods.values():
            key = (run.job, run.index, run.rank, run.attempt)
            if seen.setdefault(key, run) is not run:
                again.append(run)
        return again
