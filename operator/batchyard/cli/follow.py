"""The logs of a job while it runs: every pod is read from when it starts, a few at a time."""

from __future__ import annotations

import os
from queue import Queue
from threading import Event, Lock, Thread
from time import sleep

import click
from urllib3.exceptions import HTTPError

from batchyard.cli.changes import changes
from batchyard.cli.cluster import Body, Cluster
from batchyard.cli.podlogs import Run, Wanted, pods_path, read, runs
from batchyard.cli.progress import Display
from batchyard.cli.sink import Sink
from batchyard.cli.words import ended

READERS = 16  # pods that are read at once; others wait until one of these ends
_WATCH_SECONDS = 60


class Follower:
    """Reads the pods of one job until it has ended; its threads end with the process, whatever they wait for."""

    def __init__(self, cluster: Cluster, job: Body, wanted: Wanted | None = None) -> None:
        self._cluster = cluster
        self._job = job
        self._wanted = wanted or Wanted()
        self._sink = Sink()
        self._todo: Queue[Run] = Queue()
        self._seen: set[str] = set()
        self._lock = Lock()
        self._over = Event()

    def run(self, screen: Display) -> Body:
        """Return the job when it has ended and everything is printed."""
        for work in (self._find, *[self._read] * READERS):
            Thread(target=work, daemon=True).start()
        with screen:
            for latest in changes(self._cluster, self._job):
                screen.show(latest)
                if ended(latest):
                    break
        self._over.set()
        self._list()
        self._todo.join()
        return latest

    def _find(self) -> None:
        """Queue pods as they start; what is missed here is found by the list at the end."""
        while not self._over.is_set():
            try:
                # From version 0 on, a watch begins with what is there.
                query = {"labelSelector": self._wanted.selector(self._job), "resourceVersion": "0"}
                for event in self._cluster.watch(pods_path(self._job), _WATCH_SECONDS, **query):
                    if event["type"] in ("ADDED", "MODIFIED"):
                        self._take(Run.of(event["object"]))
            except (click.ClickException, HTTPError):
                sleep(1)

    def _list(self) -> None:
        for run in sorted(runs(self._cluster, self._job, self._wanted), key=lambda run: (run.attempt, run.index or 0)):
            self._take(run)

    def _take(self, run: Run) -> None:
        if not run.started or not self._wanted.takes(run):
            return
        with self._lock:
            if run.pod not in self._seen:
                self._seen.add(run.pod)
                self._todo.put(run)

    def _read(self) -> None:
        while True:
            run = self._todo.get()
            try:
                read(self._cluster, self._job, run, self._wanted, self._sink, follow=True)
            except BrokenPipeError:
                os._exit(1)  # whoever read us has left, as with `| head`: nobody else is to be told
            finally:
                self._todo.task_done()
