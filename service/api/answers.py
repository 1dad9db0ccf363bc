"""Documents as answers, straight from the model: the framework would validate them again."""

from __future__ import annotations

from fastapi import Response

from service.schemas import Document, ImageDocument


def answer(document: Document, status: int = 200) -> Response:
    """The document as JSON."""
    return Response(document.model_dump_json(), status, media_type="application/json")


def accepted(document: ImageDocument) -> Response:
    """202, with the address of the image that is being worked on."""
    response = answer(document, 202)
    response.headers["Location"] = f"/images/{document.id}"
    return response
