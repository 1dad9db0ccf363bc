"""What of this machine the process may really use: its container's share, where it has one."""

from __future__ import annotations

import os
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")


def usable_cores(cgroup: Path = CGROUPS) -> int:
    """Cores this process may really use: its affinity, cut by the container's quota.

    Source: cgroup v2 `cpu.max` ("quota period" in µs, or "max"), cgroup v1 `cpu.cfs_*_us`.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    quota = _cpu_quota(cgroup)
    return max(1, min(cores, round(quota))) if quota else cores


def _cpu_quota(cgroup: Path) -> float | None:
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        return _cpu_quota_v1(cgroup / "cpu")
    return None if quota == "max" else int(quota) / int(period)


def _cpu_quota_v1(cgroup: Path) -> float | None:
    try:
        quota = int((cgroup / "cpu.cfs_quota_us").read_text())
        period = int((cgroup / "cpu.cfs_period_us").read_text())
    except (OSError, ValueError):
        return None
    return quota / period if quota > 0 else None


def usable_memory(cgroup: Path = CGROUPS) -> int:
    """Bytes this process may really use: the machine's, or the container's limit if that is less.

    Source: cgroup v2 `memory.max` (bytes, or "max"), cgroup v1 `memory.limit_in_bytes` (a number
    beyond all machines for none).
    """
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limits = (cgroup / "memory.max", cgroup / "memory" / "memory.limit_in_bytes")
    return min(physical, *(_bytes(limit) or physical for limit in limits))


def _bytes(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None
