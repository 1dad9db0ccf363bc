"""wrk with our script: POST requests, every answer's status checked."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

from bench.debian import tool
from bench.places import PEERS

#: Beyond the time it measures: until it is started, and gives up on an answer.
GRACE_SECONDS = 120


def post(
    url: str,
    status: int,
    connections: int,
    seconds: float,
    *,
    photo: Path | None = None,
    pause_ms: int = 0,
) -> dict[str, float]:
    """Post a photo in a form, or nothing, again and again; see `peers/post.lua` for what is seen.

    With a pause each connection rests before each request, up to twice that time.
    """
    wrk = tool("wrk")
    load = ["-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--timeout", "60s"]
    given = [str(photo or "-"), str(status), str(pause_ms)]
    done = subprocess.run(
        [wrk.path, *load, "-s", str(PEERS / "post.lua"), url, "--", *given],
        env=os.environ | wrk.env,
        capture_output=True,
        text=True,
        timeout=seconds + GRACE_SECONDS,
    )
    found = re.search(r"RESULT (\{.*\})", done.stdout)
    if not found:
        raise RuntimeError(f"wrk failed at {url}:\n{done.stdout}\n{done.stderr}")
    seen: dict[str, float] = json.loads(found[1])
    return seen
