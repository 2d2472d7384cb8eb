"""Providers that need no network: files, SQL, the samples, and synthetic bars."""

from algotrendy.data.providers.local.files import FilesProvider, FilesSettings
from algotrendy.data.providers.local.made import SampleProvider, SyntheticProvider, SyntheticSettings
from algotrendy.data.providers.local.sql import SqlProvider, SqlSettings

__all__ = [
    "FilesProvider",
    "FilesSettings",
    "SampleProvider",
    "SqlProvider",
    "SqlSettings",
    "SyntheticProvider",
    "SyntheticSettings",
]
