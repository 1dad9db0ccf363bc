"""An image's document from its rows: the one shape it has wherever it appears."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
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
        **{name: image.get(name) for name in _SHOWN},
        placeholder=Placeholder(color=colour, blurhash=image.get("blurhash")) if colour else None,
        variants=derived,
        srcset=_srcset(image, derived),
        picture=_picture(image, derived),
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


#: Formats that not every browser shows, best first: each is offered before the others.
_OFFERED = ("image/avif", "image/webp")


def _picture(image: Row, variants: Sequence[VariantDocument]) -> str:
    """HTML with a source a format and the others in the `<img>`; empty without such variants."""
    whole = [one for one in variants if _same_shape(image, one)]
    offered = {kind: [one for one in whole if one.content_type == kind] for kind in _OFFERED}
    rest = [one for one in whole if one.content_type not in _OFFERED] or whole
    if not rest:
        return ""
    sources = "".join(
        f'<source type="{kind}" srcset="{escape(_srcset(image, those))}">'
        for kind, those in offered.items()
        if those
    )
    largest, srcset = max(rest, key=lambda one: one.width), escape(_srcset(image, rest))
    return (
        f'<picture>{sources}<img src="{escape(largest.url)}" srcset="{srcset}"'
        f' width="{largest.width}" height="{largest.height}" alt="" loading="lazy"></picture>'
    )


def _same_shape(image: Row, variant: VariantDocument) -> bool:
    # One pixel of rounding on either side of a scaled picture keeps its shape.
    width, height = image["width"], image["height"]
    return bool(abs(width * variant.height - height * variant.width) <= max(width, height))
