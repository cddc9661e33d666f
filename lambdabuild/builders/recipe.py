"""The recipe of the builder image: what makes a compiler out of a Lambda image, and so part of what is compiled."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files


def read_recipe() -> dict[str, bytes]:
    """Its files, by name."""
    folder = files("lambdabuild.resources") / "builder_image"
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


def recipe_digest(recipe: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in sorted(recipe.items()):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


@lru_cache(maxsize=1)
def own_recipe_digest() -> str:
    """That of this version's recipe."""
    return recipe_digest(read_recipe())
