"""The README as an index shows it: there a link that is relative to this repository leads nowhere."""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK = re.compile(r"!?\[(?P<text>(?:[^\[\]]|\[[^\[\]]*\])*)\]\((?!https?://|#)(?P<path>[^()\s]+)\)")


class CustomMetadataHook(MetadataHookInterface):
    """Adds the README to the metadata."""

    def update(self, metadata: dict[str, Any]) -> None:
        readme = Path(self.root, "README.md").read_text(encoding="utf-8")
        source = metadata.get("urls", {}).get("Source")
        metadata["readme"] = {"content-type": "text/markdown", "text": with_absolute_links(readme, source)}


def with_absolute_links(text: str, source: str | None) -> str:
    """Relative links below ``source``, where the repository can be read; without one their texts alone."""
    if source is None:
        return _LINK.sub(lambda link: link["text"], text)
    return _LINK.sub(lambda link: f"{link[0].rpartition('(')[0]}({source.rstrip('/')}/{link['path']})", text)
