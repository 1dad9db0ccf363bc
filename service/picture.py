"""An image's document from its rows: the one shape it has wherever it appears."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from service.models import Image, Variant
from service.schemas import ErrorDocument, ImageDocument, Placeholder, VariantDocument
from service.variants import version_of

#: A row by its columns' names: one that was read, or one that is about to be written.
Row = Mapping[str, Any]


@dataclass(frozen=True)
class View:
    """What documents show beyond their rows."""

    #: What URLs begin with; empty: they are relative.
    base_url: str = ""
    #: The version of each preset now, by its name.
    versions: Mapping[str, str] = field(default_factory=dict)


#: Relative URLs, and nothing is known of presets.
PLAIN = View()


def document(image: Row, variants: Sequence[Row], view: View) -> ImageDocument:
    """The document of an image's rows."""
    derived = [_variant_document(variant, view) for variant in variants]
    code, colour = image.get("error_code"), image.get("colour")
    failed = code and image["status"] == "failed"
    failure = ErrorDocument(code=code, message=image["error_message"] or "") if failed else None
    return ImageDocument(
        **{name: image[name] for name in _SHOWN},
        placeholder=Placeholder(color=colour) if colour else None,
        variants=derived,
        srcset=_srcset(image, derived),
        error=failure,
    )


#: Columns that a document shows as they are.
_SHOWN = tuple(name for name in ImageDocument.model_fields if hasattr(Image, name))
_VARIANT_SHOWN = tuple(name for name in VariantDocument.model_fields if hasattr(Variant, name))


def _variant_document(variant: Row, view: View) -> VariantDocument:
    url = f"{view.base_url}/images/{variant['image_id']}/variants/{variant['name']}"
    version = version_of(variant["key"])
    return VariantDocument(
        url=url,
        stale=view.versions.get(variant["name"], version) != version,
        **{name: variant.get(name) for name in _VARIANT_SHOWN},
    )


def _srcset(image: Row, variants: Sequence[VariantDocument]) -> str:
    """The variants of the whole picture's shape, one a width, narrowest first."""
    whole = {v.width: v.url for v in variants if _same_shape(image, v)}
    return ", ".join(f"{url} {width}w" for width, url in sorted(whole.items()))


def _same_shape(image: Row, variant: VariantDocument) -> bool:
    # One pixel of rounding on either side of a scaled picture keeps its shape.
    width, height = image["width"], image["height"]
    return bool(abs(width * variant.height - height * variant.width) <= max(width, height))
