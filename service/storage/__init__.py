"""Where the originals and the variants are kept."""

from service.storage.base import Blob, LocalStorage, Storage
from service.storage.local import LocalFolder

__all__ = ["Blob", "LocalFolder", "LocalStorage", "Storage"]
