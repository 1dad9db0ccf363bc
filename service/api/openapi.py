"""What the OpenAPI document says of bodies that FastAPI does not parse."""

from __future__ import annotations

from typing import Any

_FIELDS: dict[str, Any] = {
    "preset": {
        "type": "array",
        "items": {"type": "string"},
        "description": "Presets to make, by name; default: all. `none`: only the pipeline.",
    },
    "pipeline": {
        "type": "string",
        "contentMediaType": "application/json",
        "description": "A pipeline as JSON; its variants are made on top of the presets.",
    },
    "item_id": {"type": "string", "pattern": r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"},
    "priority": {"type": "string", "enum": ["high", "normal", "low"]},
}

_FORM: dict[str, Any] = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {
            "type": "array",
            "items": {"type": "string", "format": "binary"},
            "minItems": 1,
            "description": "The image; repeat the field for several.",
        },
        **_FIELDS,
    },
}

_RAW: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}

#: The fields as query parameters, which a raw body needs and a form may use as well.
_QUERY: list[dict[str, Any]] = [
    {"name": name, "in": "query", "required": False, "schema": schema}
    for name, schema in {
        **_FIELDS,
        "filename": {"type": "string", "description": "The name to show, for a raw body."},
    }.items()
]

UPLOAD_BODY: dict[str, Any] = {
    "parameters": _QUERY,
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": _FORM},
            "image/*": _RAW,
            "application/octet-stream": _RAW,
        },
    },
}
