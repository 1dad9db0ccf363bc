"""Where the originals and the variants are kept."""

from service.storage.base import Blob, Chunk, LocalStorage, Storage
from service.storage.local import LocalFolder

__all__ = ["Blob", "Chunk", "LocalFolder", "LocalStorage", "Storage"]
