"""CPU and memory of processes and of the whole machine, from /proc."""

from __future__ import annotations

import os
import re
from pathlib import Path

_TICK: int = os.sysconf("SC_CLK_TCK")
KIB = 1024


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process and its threads, user and system; 0 if it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICK


def memory(pid: int, field: str = "VmRSS") -> int:
    """Return bytes: VmRSS is what a process has in memory now, VmHWM the most it ever had; 0 if it is gone."""
    try:
        found = re.search(rf"^{field}:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) * KIB if found else 0


def machine_seconds() -> float:
    """Return the CPU time of everybody on the machine since it started, without waiting and idling."""
    user, nice, system, _idle, _wait, irq, softirq = (
        int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:8]
    )
    return (user + nice + system + irq + softirq) / _TICK


def processors() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def memory_of_machine() -> int:
    """Return bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
