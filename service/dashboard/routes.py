"""The page over HTTP: one document for all views, and the files it loads.

They are no part of the API, so OpenAPI does not list them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Path, Request, Response
from starlette.responses import RedirectResponse

from service.config import Settings
from service.dashboard.files import PAGE, StaticFile, read_files
from service.errors import NotFound

#: The addresses of the views. All are answered with the same document; its script shows the rest.
VIEWS = (
    "/dashboard",
    "/dashboard/images",
    "/dashboard/images/{image_id}",
    "/dashboard/activity",
    "/dashboard/tasks",
    "/dashboard/tasks/{task_id}",
    "/dashboard/items",
    "/dashboard/users",
    "/dashboard/notifications",
)
FilePath = Annotated[str, Path(max_length=128)]


def dashboard(settings: Settings) -> APIRouter:
    """The routes of the page, its files read."""
    router = APIRouter(include_in_schema=False)
    files, headers = read_files(), _headers(settings.public_url)

    async def page(request: Request) -> Response:
        return _send(files[PAGE], headers, request)

    for address in VIEWS:
        router.add_api_route(address, page)

    @router.get("/")
    async def start() -> Response:
        return RedirectResponse("/dashboard")

    @router.get("/dashboard/static/{path:path}")
    async def file(path: FilePath, request: Request) -> Response:
        return _send(_find(files, path), headers, request)

    return router


def policy(public_url: str) -> str:
    """Nothing but our own files, and pictures from where the documents say they are.

    Source: Content Security Policy Level 3.
    """
    pictures = " ".join(["'self'", "blob:", *_origin(public_url)])
    sources = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": pictures,
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{directive} {allowed}" for directive, allowed in sources.items())


def _headers(public_url: str) -> dict[str, str]:
    return {
        "Content-Security-Policy": policy(public_url),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        # Asked for anew each time, answered with 304: a new release is seen at once and whole.
        "Cache-Control": "no-cache",
    }


def _origin(public_url: str) -> list[str]:
    parts = urlsplit(public_url)
    return [f"{parts.scheme}://{parts.netloc}"] if parts.netloc else []


def _find(files: Mapping[str, StaticFile], path: str) -> StaticFile:
    if path not in files:
        raise NotFound(f"The page has no file {path}.")
    return files[path]


def _send(file: StaticFile, headers: Mapping[str, str], request: Request) -> Response:
    """The file, or that the browser has it already."""
    headers = {**headers, "ETag": file.etag}
    if file.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(file.content, media_type=file.media_type, headers=headers)
