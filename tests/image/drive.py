# ruff: noqa: T201  (what it prints is its report)
"""Starts a built image as its own user and drives an upload through it; `run` beside it builds.

    drive.py ROOT IMAGE_JSON WORK     the image's files, `buildah inspect` of it, a scratch folder

User, environment, command, volumes and health check are read from the image, not repeated here.
It runs as deploy/compose.yaml has it: read-only root, /tmp in memory, no capabilities, and as
process 1 of its own process namespace, where a signal that nobody handles would be lost.
Only the standard library, so that it needs nothing but the machine's python3.
"""

import http.client
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

READY_WITHIN_S = 60
STOPS_WITHIN_S = 40  # deploy/compose.yaml: stop_grace_period
OUR_BYTES_AT_MOST = 150_000_000  # on top of the base

# What one would build or install with; none of it belongs in an image that only serves.
BUILD_TOOLS = ("cc", "gcc", "g++", "clang", "make", "cmake", "ld", "as", "pip", "pip3", "git")

# The image draws its own test picture: a gradient under noise, as big as a phone's.
DRAW = """
import io, sys
from PIL import Image
noise = Image.effect_noise((2400, 1800), 40)
picture = Image.merge("RGB", (noise, Image.linear_gradient("L").resize(noise.size), noise))
sys.stdout.buffer.write((file := io.BytesIO(), picture.save(file, "JPEG"))[0].getvalue())
"""

MAGIC: dict[str, Callable[[bytes], bool]] = {
    "image/jpeg": lambda body: body.startswith(b"\xff\xd8\xff"),
    "image/png": lambda body: body.startswith(b"\x89PNG\r\n\x1a\n"),
    "image/webp": lambda body: body[:4] == b"RIFF" and body[8:12] == b"WEBP",
    "image/avif": lambda body: body[4:8] == b"ftyp" and b"avif" in body[8:32],
}

counted = {True: 0, False: 0}


def check(what: str, holds: bool, seen: object = "") -> None:
    counted[bool(holds)] += 1
    print("ok    " if holds else "FAILED", f"{what}: {seen}" if seen != "" else what, flush=True)


def until(what: str, within_s: float, probe: Callable[[], T]) -> T:
    """Asks until the answer is true; a deadline, and no sleep that hopes."""
    deadline = time.monotonic() + within_s
    while not (answer := probe()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {within_s} s")
        time.sleep(0.05)
    return answer


def since(started: float) -> str:
    return f"{time.monotonic() - started:.1f} s"


def bytes_under(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


class Image:
    """The image's files and what its configuration says."""

    def __init__(self, root: Path, config: dict[str, Any], work: Path) -> None:
        self.root = root
        self.config = config
        self.user, _, self.group = str(config["User"]).partition(":")
        self.volumes = {path: work / "volumes" / path.strip("/") for path in config["Volumes"]}
        self.log = work / "service.log"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])

    def environment(self, **changed: object) -> list[str]:
        own = dict(pair.split("=", 1) for pair in self.config["Env"])
        own |= {"PIXMILL_PORT": self.port} | changed
        return ["env", "--ignore-environment", *(f"{name}={value}" for name, value in own.items())]

    def make_volumes(self) -> None:
        for folder in self.volumes.values():
            folder.mkdir(parents=True)
            os.chown(folder, int(self.user), int(self.group))

    def start(self, argv: list[str], **popen: Any) -> subprocess.Popen[bytes]:
        root = shlex.quote(str(self.root))
        mounts = [
            f"mount --bind {root} {root}",
            f"mount -o remount,bind,ro {root}",
            f"mount -t proc proc {root}/proc",
            f"mount --rbind /dev {root}/dev",
            f"mount -t tmpfs tmpfs {root}/tmp",
            *(f"mount --bind {shlex.quote(str(at))} {root}{to}" for to, at in self.volumes.items()),
        ]
        inside = [
            *("setpriv", f"--reuid={self.user}", f"--regid={self.group}", "--clear-groups"),
            *("--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"),
            *(*self.environment(), f"--chdir={self.config['WorkingDir']}", *argv),
        ]
        script = " && ".join([*mounts, f"exec chroot {root} {shlex.join(inside)}"])
        alone = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
        return subprocess.Popen([*alone, "sh", "-c", script], **popen)

    @contextmanager
    def serving(self) -> Iterator["Service"]:
        """The image's own command; whatever happens inside, nothing is left running."""
        with self.log.open("ab") as log:
            process = self.start(self.config["Cmd"], stdout=log, stderr=log)
        service = Service(self, process)
        try:
            until("ready", READY_WITHIN_S, service.is_ready)
            yield service
        finally:
            process.kill()  # takes the child along; nothing where it has ended already
            process.wait()


class Service:
    """One run of the image's command."""

    def __init__(self, image: Image, process: subprocess.Popen[bytes]) -> None:
        self.image = image
        self.process = process

    def call(
        self, method: str, url: str, body: bytes | None = None, kind: str = ""
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        path = urllib.parse.urlsplit(url)._replace(scheme="", netloc="").geturl()
        headers = {"Content-Type": kind} if kind else {}
        connection = http.client.HTTPConnection("127.0.0.1", self.image.port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def is_ready(self) -> bool:
        if (code := self.process.poll()) is not None:
            raise ChildProcessError(f"it ended with {code} before it was ready")
        try:
            return self.call("GET", "/readyz")[0] == 200
        except ConnectionError:
            return False

    def pid(self) -> int:
        """The service as the machine sees it: the only child of `unshare`."""
        parent = self.process.pid
        return int(Path(f"/proc/{parent}/task/{parent}/children").read_text().split()[0])

    def status(self) -> dict[str, str]:
        lines = Path(f"/proc/{self.pid()}/status").read_text().splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def is_healthy(self, **environment: object) -> bool:
        """The image's HEALTHCHECK, run inside as a container engine would."""
        kind, *command = self.image.config["Healthcheck"]["Test"]
        argv = command if kind == "CMD" else ["sh", "-c", *command]
        enter = ["nsenter", f"--target={self.pid()}", "--mount", "--pid", "--root", "--wd"]
        enter += [f"--setuid={self.image.user}", f"--setgid={self.image.group}"]
        argv = [*enter, *self.image.environment(**environment), *argv]
        return subprocess.run(argv, capture_output=True, timeout=30).returncode == 0

    def upload(self, picture: bytes) -> tuple[int, http.client.HTTPMessage, dict[str, Any]]:
        boundary = uuid.uuid4().hex
        head = (
            f"--{boundary}\r\n"
            'Content-Disposition: form-data; name="file"; filename="picture.jpg"\r\n'
            "Content-Type: image/jpeg\r\n\r\n"
        )
        body = head.encode() + picture + f"\r\n--{boundary}--\r\n".encode()
        kind = f"multipart/form-data; boundary={boundary}"
        status, headers, answer = self.call("POST", "/images", body, kind)
        return status, headers, json.loads(answer)

    def document(self, image_id: str) -> dict[str, Any]:
        status, _, body = self.call("GET", f"/images/{image_id}")
        document: dict[str, Any] = json.loads(body) if status == 200 else {"status": status}
        return document

    def finished(self, image_id: str) -> dict[str, Any]:
        def probe() -> dict[str, Any] | None:
            document = self.document(image_id)
            return None if document["status"] in ("received", "processing") else document

        return until(f"image {image_id} finished", 60, probe) or {}

    def stop(self) -> int:
        name = self.image.config.get("StopSignal") or "SIGTERM"
        os.kill(self.pid(), signal.Signals[name])
        return self.process.wait(STOPS_WITHIN_S)


def check_contents(image: Image) -> None:
    ours, whole = bytes_under(image.root / "opt/pixmill"), bytes_under(image.root)
    sizes = f"{whole / 1e6:.0f} MB, of it Pixmill {ours / 1e6:.0f} MB, the rest its base"
    limit = f"small: Pixmill at most {OUR_BYTES_AT_MOST / 1e6:.0f} MB"
    check(limit, ours <= OUR_BYTES_AT_MOST, sizes)

    user = image.config["User"]
    check("the user is a number and not root", image.user.isdigit() and int(image.user) > 0, user)
    path = dict(pair.split("=", 1) for pair in image.config["Env"])["PATH"]
    folders = [image.root / folder.strip("/") for folder in path.split(":")]
    tools = [tool for tool in BUILD_TOOLS for folder in folders if os.path.lexists(folder / tool)]
    packages = list(image.root.glob("opt/pixmill/lib/python3*/site-packages/pip"))
    check("no tool that builds or installs is left", not tools + packages, tools + packages or "")
    owners = {path: (image.root / path.strip("/")).stat().st_uid for path in image.volumes}
    wanted = ("/data/uploads", "/data/processed", "/data/database")
    check("uploads, processed and the database are volumes", sorted(owners) == sorted(wanted))
    check("the volumes belong to the user", set(owners.values()) == {int(image.user)})


def check_process(service: Service) -> None:
    status, image = service.status(), service.image
    for kind, own in ("Uid", image.user), ("Gid", image.group):
        check(f"runs under the image's own {kind}", {*status[kind].split()} == {own}, own)
    check("holds no capability", int(status["CapPrm"], 16) == int(status["CapBnd"], 16) == 0)
    check("is process 1 and gets the signals itself", status["NSpid"].split()[-1] == "1")
    check("its health check says yes", service.is_healthy())
    check("and says no where nothing answers", not service.is_healthy(PIXMILL_PORT=1))


def check_upload(service: Service, picture: bytes) -> str:
    status, headers, document = service.upload(picture)
    check("an upload is answered with 202", status == 202, f"{len(picture)} bytes")
    image_id, location = str(document["id"]), headers["Location"]
    check("and says where its image is", location == f"/images/{image_id}", location)
    names = [variant["name"] for variant in document["variants"]]
    check("and names the variants to come", bool(names), ", ".join(names))

    started = time.monotonic()
    document = service.finished(image_id)
    check("the image becomes ready", document["status"] == "ready", since(started))
    variants = document["variants"]
    states = [variant["status"] for variant in variants]
    check("so do all its variants", bool(states) and {*states} == {"ready"}, ", ".join(states))
    for variant in variants:
        status, headers, body = service.call("GET", variant["url"])
        kind = headers.get_content_type()
        real = status == 200 and kind in MAGIC and MAGIC[kind](body)
        check(f"variant {variant['name']} is what it says", real, f"{kind}, {len(body)} bytes")
    return image_id


def check_page(service: Service) -> None:
    """The page's files are data of the package, which a build can lose."""
    status, headers, body = service.call("GET", "/dashboard")
    kind, policy = headers.get_content_type(), headers["Content-Security-Policy"] or ""
    check("the page is there", (status, kind) == (200, "text/html"), f"{len(body)} bytes")
    check("under a strict policy", policy.startswith("default-src 'none';"))
    named = re.findall(r'(?:src|href)="(/dashboard/static/[^"]+)"', body.decode())
    answers = [service.call("GET", path)[0] for path in named]
    check("with the files it names", bool(named) and {*answers} == {200}, ", ".join(named))


def check_volumes(image: Image) -> None:
    for path, folder in image.volumes.items():
        files = [file for file in folder.rglob("*") if file.is_file()]
        theirs = {file.stat().st_uid for file in files} == {int(image.user)}
        check(f"{path} holds files, all the user's own", theirs, f"{len(files)} files")


def check_stop(service: Service, pictures: list[bytes]) -> list[str]:
    """SIGTERM straight after uploads, so that there is work to drain or to give back."""
    ids = [str(service.upload(picture)[2]["id"]) for picture in pictures]
    busy = sum(service.document(each)["status"] != "ready" for each in ids)
    started = time.monotonic()
    check(f"SIGTERM with {busy} images at work: exits with 0", service.stop() == 0, since(started))
    return ids


def check_log(image: Image) -> None:
    def is_record(line: str) -> bool:
        try:
            return isinstance(json.loads(line), dict)
        except ValueError:
            return False

    lines = image.log.read_text().splitlines()
    other = [line for line in lines if not is_record(line)]
    seen = other[0] if other else f"{len(lines)} lines"
    check("every line of the log is JSON", bool(lines) and not other, seen)


def drive(image: Image) -> None:
    check_contents(image)
    image.make_volumes()
    picture, _ = image.start(["python3", "-c", DRAW], stdout=subprocess.PIPE).communicate()
    check("its own Pillow draws a picture", MAGIC["image/jpeg"](picture), f"{len(picture)} bytes")

    started = time.monotonic()
    with image.serving() as service:
        check("starts and is ready", True, since(started))
        check_process(service)
        first = check_upload(service, picture)
        check_page(service)
        check_volumes(image)
        rest = check_stop(service, [picture] * 4)

    with image.serving() as service:
        known = service.document(first)["status"]
        check("started again, it still has the image", known == "ready", known)
        ends = [service.finished(each)["status"] for each in rest]
        check("and finishes what SIGTERM broke into", {*ends} == {"ready"}, ", ".join(ends))
        started = time.monotonic()
        check("SIGTERM with nothing to do: exits with 0", service.stop() == 0, since(started))
    check_log(image)


def main() -> int:
    root, inspected, work = map(Path, sys.argv[1:])
    image = Image(root, json.loads(inspected.read_text())["Docker"]["config"], work)
    try:
        drive(image)
    except Exception as error:  # noqa: BLE001  (a check that cannot be made has failed)
        check("every check could be made", False, f"{type(error).__name__}: {error}")
    if counted[False] and image.log.exists():
        print("the last of its log:", *image.log.read_text().splitlines()[-20:], sep="\n  ")
    print(f"{counted[True]} passed, {counted[False]} failed")
    return 1 if counted[False] else 0


if __name__ == "__main__":
    sys.exit(main())
