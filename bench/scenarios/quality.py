"""How good the variants look, and how heavy they are: speed bought with blur would be no win.

Every server makes its variants over HTTP, as in the whole job. Each is compared in luma with the
photo decoded in full and resampled from full size by Pillow's Lanczos. Read the differences: JPEG
itself at quality 82 costs more of the level than all that differs between the servers.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from bench import corpus
from bench.client import SIZES, Photo, Visitor
from bench.figures import Spread
from bench.likeness import in_full, likeness, scaled
from bench.lineup import CONTESTANTS, OURS, SHARP, Contestant
from bench.options import Options
from bench.places import scratch
from bench.report import Goal, Section, Table
from bench.servers import running


@dataclass(frozen=True)
class Score:
    """One variant of one photo."""

    size: int
    ssim: float
    kilobytes: float


@dataclass(frozen=True)
class Made:
    """A variant as a server made it."""

    server: str
    photo: int
    size: int
    box: tuple[int, int]
    data: bytes


def measure(options: Options) -> Section:
    files = corpus.photos()[: 2 if options.quick else None]
    photos = [Photo.read(file) for file in files]
    made: dict[str, list[Made]] = {}
    trouble: list[str] = []
    for contestant in CONTESTANTS:
        try:
            made[contestant.name] = _make(contestant, photos)
        except Exception as error:
            trouble.append(f"{contestant.name} failed: {error!r}")
    scores: dict[str, list[Score]] = {name: [] for name in made}
    for number, file in enumerate(files):
        print(f"quality {file.stem}", file=sys.stderr)
        reference = in_full(file)
        for variant in (one for each in made.values() for one in each if one.photo == number):
            scores[variant.server].append(_score(variant, reference, trouble))
    return Section("Quality", [_table(scores, len(files))], _goals(scores), trouble)


def _make(contestant: Contestant, photos: Sequence[Photo]) -> list[Made]:
    with (
        scratch("quality") as folder,
        running(contestant.build(folder / "server")) as server,
        Visitor(server.port) as visitor,
    ):
        return [
            Made(contestant.name, number, size, box, data)
            for number, photo in enumerate(photos)
            for size, box, data in zip(
                SIZES, photo.boxes, contestant.protocol(visitor, photo), strict=True
            )
        ]


def _score(made: Made, photo: Image.Image, trouble: list[str]) -> Score:
    variant = Image.open(io.BytesIO(made.data))
    if max(abs(a - b) for a, b in zip(variant.size, made.box, strict=True)) > 1:
        trouble.append(f"{made.server}: a variant of {variant.size} px where {made.box} was due")
    similarity = likeness(variant, scaled(photo, variant.size))
    return Score(made.size, similarity, len(made.data) / 1e3)


def _mean(scores: Sequence[Score], size: int, name: str) -> float:
    return float(np.mean([getattr(score, name) for score in scores if score.size == size]))


def _table(scores: dict[str, list[Score]], photos: int) -> Table:
    rows = [
        (
            name,
            *(f"{_mean(each, size, 'ssim'):.4f}" for size in SIZES),
            *(f"{_mean(each, size, 'kilobytes'):.1f}" for size in SIZES),
        )
        for name, each in scores.items()
    ]
    head = ("server", *(f"SSIM {size}" for size in SIZES), *(f"kB {size}" for size in SIZES))
    return Table(f"Means over {photos} photos:", head, rows)


def _goals(scores: dict[str, list[Score]]) -> list[Goal]:
    """No variant may look worse than sharp's by more than can be told, nor be much heavier."""
    if OURS not in scores or SHARP not in scores:
        return []
    ours, theirs = scores[OURS], scores[SHARP]
    goals = []
    for size in SIZES:
        pairs = zip(_of_size(ours, size), _of_size(theirs, size), strict=True)
        differences = [mine.ssim - other.ssim for mine, other in pairs]
        mean = Spread(float(np.mean(differences)), min(differences), max(differences))
        goals.append(Goal(f"SSIM {size} px: {OURS} − {SHARP}", mean, at_least=-0.003, digits=4))
    for size in SIZES:
        share = _mean(ours, size, "kilobytes") / _mean(theirs, size, "kilobytes")
        goals.append(Goal(f"bytes {size} px: {OURS} / {SHARP}", Spread.of([share]), at_most=1.05))
    return goals


def _of_size(scores: Sequence[Score], size: int) -> list[Score]:
    return [score for score in scores if score.size == size]
