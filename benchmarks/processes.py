"""CPU time and memory of processes with all their children, by the system's own accounting."""

import os
import re
from contextlib import suppress
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """A process and all that descend from it; empty if it is gone."""
    found, waiting = [], [pid]
    while waiting:
        current = waiting.pop()
        try:
            threads = list(Path(f"/proc/{current}/task").iterdir())
        except OSError:
            continue
        found.append(current)
        for thread in threads:
            with suppress(OSError):  # a thread may end at any moment
                waiting += map(int, (thread / "children").read_text().split())
    return found


def cpu_seconds(pids: list[int]) -> float:
    """User and system time that processes have used so far, in seconds, in steps of 10 ms.

    Threads that have ended count, processes that have ended do not.
    """
    ticks = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS_PER_SECOND


def machine_cpu_seconds() -> float:
    """Time that all cores together have been busy so far, for whomever, in seconds."""
    fields = Path("/proc/stat").read_text().partition("\n")[0].split()[1:9]
    user, nice, system, _idle, _waiting, irq, softirq, steal = map(int, fields)
    return (user + nice + system + irq + softirq + steal) / _TICKS_PER_SECOND


def resident_kb(pids: list[int]) -> int:
    """Resident memory of processes in KiB; pages that they share count in each."""
    total = 0
    for pid in pids:
        try:
            match = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        except OSError:
            continue
        total += int(match[1]) if match else 0
    return total


def command(pid: int) -> str:
    """The program of a process and its arguments; empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""
