"""The client behind `pixmill upload`: send files, watch them become ready."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.progress import Progress

#: Pause between two looks at an image that is not ready, in seconds.
POLL_SECONDS = 0.2
#: Asks for an answer when the work has ended. Source: RFC 7240.
WAIT = {"Prefer": "wait=20"}
#: Longest wait for one image, in seconds.
WAIT_SECONDS = 600


def upload_all(server: str, files: Sequence[Path], presets: Sequence[str]) -> bool:
    """Upload each file and wait for its variants; True if all became ready."""
    console = Console()
    with httpx.Client(base_url=server, timeout=60) as client, Progress(console=console) as bar:
        job = bar.add_task("images", total=len(files))
        results = []
        for path in files:
            results.append(_upload(client, path, presets, console))
            bar.advance(job)
    return all(results)


def _upload(client: httpx.Client, path: Path, presets: Sequence[str], console: Console) -> bool:
    try:
        with ExitStack() as stack:
            file = stack.enter_context(path.open("rb"))
            answer = client.post(
                "/images", files={"file": (path.name, file)}, data={"preset": list(presets)}
            )
        document = _checked(answer)
        document = _wait(client, document)
    except (httpx.HTTPError, RuntimeError) as error:
        console.print(f"[red]{path}[/]: {error}", highlight=False)
        return False
    for variant in document["variants"]:
        size = f"{variant['width']}×{variant['height']}, {variant['size_bytes']:,} bytes"
        console.print(f"{path}: {client.base_url.join(variant['url'])} ({size})", highlight=False)
    return True


def _wait(client: httpx.Client, document: dict[str, Any]) -> dict[str, Any]:
    until = time.monotonic() + WAIT_SECONDS
    while document["status"] in ("received", "processing"):
        if time.monotonic() > until:
            raise RuntimeError("it did not become ready in time")
        time.sleep(POLL_SECONDS)
        document = _checked(client.get(f"/images/{document['id']}", headers=WAIT))
    if document["status"] == "failed":
        raise RuntimeError(document["error"]["message"])
    return document


def _checked(answer: httpx.Response) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    if answer.is_error:
        raise RuntimeError(f"{answer.status_code} {body.get('title')}: {body.get('detail')}")
    return body
