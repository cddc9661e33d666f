"""Where in an archive the modules lie: where Lambda looks for those of a layer, or elsewhere.

https://docs.aws.amazon.com/lambda/latest/dg/python-layers.html
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from lambdabuild.model.lint import listed

_FOLDERS = frozenset({"python", "lib", "bin", "extensions", "share", "etc"})
"""What lies at the root of a layer; a function's archive has modules there."""
_BESIDE_MODULES = frozenset({"lib", "bin", "share", "etc", "include"})
"""What pip lays beside modules, in ``python/``."""
_MODULE = re.compile(r"[^/]+\.(?:py|pyc|so)")
_SITE = re.compile(r"python/lib/(python3\.[0-9]+)/site-packages/.")
_SITE_PACKAGES = re.compile(r"(?:.*?/)?site-packages/")
_SOURCE = re.compile(r"(?:(?P<package>[^/]+)/.*|(?P<module>[^/]+))\.py")


def is_layer(names: Collection[str]) -> bool:
    """Whether an archive with files of these names is a layer: its folders are those of layers, its root is none of
    the import path's."""
    folders = {name.partition("/")[0] for name in names if "/" in name}
    return bool(folders) and folders <= _FOLDERS and not any(map(_MODULE.fullmatch, names))


def find_misplaced(names: Collection[str], runtimes: Sequence[str]) -> str | None:
    """Where the modules of an archive lie that would be a layer, if Lambda does not look there in any of these
    runtimes; None where it does, and where they lie at the root."""
    first, _, _ = next(iter(names), "").partition("/")
    inner = [name.removeprefix(f"{first}/") for name in names]
    if inner and all("/" in name and name.startswith(f"{first}/") for name in names):
        nested = [name for name in inner if name.startswith("python/")]
        if nested and f"{first}/__init__.py" not in names and is_layer(inner):
            return f"below {first}/python/"
    if not is_layer(names):
        return _elsewhere(names)
    within = [name for name in names if name.startswith("python/")]
    if any(name.split("/")[1] not in _BESIDE_MODULES for name in within):
        return None
    versions = {match[1] for match in map(_SITE.match, within) if match}
    if versions & set(runtimes):
        return None
    if versions:
        return "below " + " and ".join(f"python/lib/{version}/site-packages/" for version in sorted(versions))
    return _elsewhere(names)


def root_modules(names: Collection[str]) -> str:
    """The modules and packages at an archive's root, for messages; empty where there are none, or where a bootstrap
    says that the archive is a function with a runtime of its own."""
    if "bootstrap" in names:
        return ""
    matches = [match for match in map(_SOURCE.fullmatch, names) if match]
    return listed(sorted({match["package"] or match["module"] for match in matches}))


def _elsewhere(names: Collection[str]) -> str | None:
    """The one folder for packages below which all modules lie."""
    sources = [name for name in names if name.endswith(".py")]
    match = _SITE_PACKAGES.match(sources[0]) if sources else None
    return f"below {match[0]}" if match and all(name.startswith(match[0]) for name in sources) else None
