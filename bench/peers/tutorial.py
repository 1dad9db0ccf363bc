"""The service as the tutorials write it: `UploadFile`, `await file.read()`, a background task.

It answers the same requests as Pixmill, so the same client can drive both.
"""

import os
import uuid
from pathlib import Path

import aiofiles
from fastapi import BackgroundTasks, FastAPI, UploadFile
from fastapi.responses import FileResponse
from PIL import Image, ImageOps

FOLDER = Path(os.environ["BENCH_FOLDER"])
SIZES = (1600, 800, 200)

app = FastAPI()
ready: set[str] = set()


@app.get("/healthz")
async def health() -> dict[str, bool]:
    return {"ok": True}


def noop(path: Path) -> None:
    """The upload alone: nothing to do afterwards."""


@app.post("/upload-image/")
async def upload(file: UploadFile, background_tasks: BackgroundTasks) -> dict[str, int]:
    """Store the file. It is removed at once, so that the disk is never what is measured."""
    path = FOLDER / uuid.uuid4().hex
    contents = await file.read()
    async with aiofiles.open(path, "wb") as target:
        await target.write(contents)
    path.unlink()
    background_tasks.add_task(noop, path)
    return {"size_bytes": len(contents)}


def make_variants(path: Path) -> None:
    """Every variant from the full picture: opened, decoded and resampled again for each."""
    for size in SIZES:
        with Image.open(path) as photo:
            upright = ImageOps.exif_transpose(photo).convert("RGB")
            scale = min(1.0, size / max(upright.size))
            box = (round(upright.width * scale), round(upright.height * scale))
            variant = upright.resize(box, Image.Resampling.LANCZOS)
            variant.save(FOLDER / f"{path.name}_{size}.jpg", quality=82)
    ready.add(path.name)


@app.post("/images", status_code=202)
async def process(file: UploadFile, background_tasks: BackgroundTasks) -> dict[str, object]:
    path = FOLDER / uuid.uuid4().hex
    contents = await file.read()
    async with aiofiles.open(path, "wb") as target:
        await target.write(contents)
    background_tasks.add_task(make_variants, path)
    return document(path.name)


@app.get("/images/{name}")
async def status(name: str) -> dict[str, object]:
    return document(name)


@app.get("/variants/{name}")
async def variant(name: str) -> FileResponse:
    return FileResponse(FOLDER / Path(name).name)


def document(name: str) -> dict[str, object]:
    variants = [{"name": f"p{size}", "url": f"/variants/{name}_{size}.jpg"} for size in SIZES]
    return {"id": name, "status": "ready" if name in ready else "received", "variants": variants}
