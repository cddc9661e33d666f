"""The house's layout: imports point down, a foreign library has one door, the model does no I/O, doors open light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

PACKAGE = Path(str(files("lambdabuild")))
LEVELS = (
    ("__main__",),
    ("cli",),
    ("console",),
    ("progress",),
    ("pipeline",),
    ("steps",),
    ("patches",),
    ("segments",),
    ("inspection",),
    ("builders",),
    ("wheels",),
    (
        "handlerhint",
        "housekeeping",
        "ignoredcode",
        "lockinputs",
        "buildstate",
        "requirementlock",
        "selections",
        "uvversion",
    ),
    ("cache", "leftovers", "uv", "zipformat", "configfile", "manifest", "sourcefiles", "unpacking"),
    ("functionfolders", "segmentfile", "claims", "repository", "scratch"),
    ("slices", "budget", "locks", "ledger", "environment", "placing"),
    ("model",),
    ("errors", "values"),
    ("",),
)
"""Parts of the package, the highest first; "" is the package's own version and resources."""
WITHIN = ("cli", "pipeline", "builders", "wheels", "model")
"""Parts whose modules may import each other; the steps, and modules on one level, may not."""
FOREIGN = {
    "click": {"cli"},
    "deflate": {"zipformat"},
    "docker": {
        "builders.container",
        "builders.endpoint",
        "builders.engine",
        "builders.execution",
        "builders.images",
        "builders.memory",
        "builders.ownership",
        "builders.sandbox",
        "builders.workshop",
    },
    "pathspec": {"model.patterns"},
    "requests": {"builders.container", "builders.ownership"},
    "rich": {"progress"},
    "tomli": {"configfile"},
    "urllib3": {"wheels.client", "wheels.fetch", "wheels.transfer"},
    "uv": {"uv"},
}
"""Who may import a library; ``packaging`` has the specifications' own vocabulary and is free to all."""
PURE = {"ast", "base64", "collections", "csv", "dataclasses", "datetime", "difflib", "hashlib", "io", "json", "pathlib"}
PURE |= {"bisect", "__future__", "html", "itertools", "packaging", "pathspec", "posixpath", "re", "types", "typing"}
PURE |= {"functools", "struct", "unicodedata", "urllib.parse", "warnings", "lambdabuild"}
IMPURE = {"open", "print", "input", "now", "today", "cwd", "home", "exists", "is_file", "is_dir", "stat", "resolve"}
IMPURE |= {"read_text", "read_bytes", "write_text", "write_bytes", "iterdir", "glob", "rglob", "absolute"}

MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): ast.parse(path.read_bytes())
    for path in sorted(PACKAGE.rglob("*.py"))
    if path != PACKAGE / "__init__.py"
}


def imported(tree: ast.Module) -> Iterator[str]:
    """Dotted names of what a module imports anywhere in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def level(part: str) -> int:
    return next((number for number, parts in enumerate(LEVELS) if part in parts), len(LEVELS) - 1)


def own_imports() -> Iterator[tuple[str, str]]:
    for module, tree in MODULES.items():
        for name in imported(tree):
            package, _, path = name.partition(".")
            if package == "lambdabuild":
                yield module, path


def test_every_module_has_a_level() -> None:
    known = {part for parts in LEVELS for part in parts}
    assert {module.partition(".")[0] for module in MODULES} == known - {""} | {"resources"}


def test_imports_point_down() -> None:
    wrong = []
    for module, path in own_imports():
        here, there = module.partition(".")[0], path.partition(".")[0]
        if level(there) < level(here) or (level(there) == level(here) and not (here == there and here in WITHIN)):
            wrong.append(f"{module} imports {path}")
    assert wrong == []


def test_a_foreign_library_has_one_door() -> None:
    importers: dict[str, set[str]] = {name: set() for name in FOREIGN}
    for module, tree in MODULES.items():
        for name in imported(tree):
            top = name.partition(".")[0]
            if top in FOREIGN:
                importers[top].add("cli" if module.startswith("cli") else module)
            else:
                assert top in {*sys.stdlib_module_names, "lambdabuild", "packaging"}, f"{module} imports {name}"
    assert importers == FOREIGN


def test_one_module_reads_the_environment() -> None:
    readers = {
        module
        for module, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv")
        if isinstance(node.value, ast.Name) and node.value.id == "os"
        if not module.startswith("resources.")  # programs that run elsewhere
    }
    assert readers == {"environment"}
    assert not [module for module, tree in MODULES.items() for name in imported(tree) if name == "os.environ"]


def test_the_model_does_no_io() -> None:
    for module, tree in MODULES.items():
        if not module.startswith("model"):
            continue
        impure = [name for name in imported(tree) if not any(f"{name}.".startswith(f"{pure}.") for pure in PURE)]
        assert impure == [], f"{module} imports {impure}"
        called = {ast.unparse(node.func).rpartition(".")[2] for node in ast.walk(tree) if isinstance(node, ast.Call)}
        assert called.isdisjoint(IMPURE), f"{module} calls {called & IMPURE}"


def test_help_is_light() -> None:
    program = (
        "import sys\n"
        "from lambdabuild.cli import cli\n"
        "cli(['--help'], standalone_mode=False)\n"
        "print(*sorted({'docker', 'rich', 'requests', 'uv', 'deflate', 'pathspec'} & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Usage: ")
    assert done.stdout.splitlines()[-1] == ""


def test_an_unchanged_build_is_light() -> None:
    program = (
        "import sys\n"
        "import lambdabuild.cli.layer, lambdabuild.cli.package, lambdabuild.cli.unchanged, lambdabuild.leftovers\n"
        "print(*sorted(name for name in sys.modules if name.startswith('lambdabuild.')), 'shutil' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [
        *("lambdabuild.buildstate", "lambdabuild.cache", "lambdabuild.cli", "lambdabuild.cli.layer"),
        *("lambdabuild.cli.options", "lambdabuild.cli.package", "lambdabuild.cli.streams", "lambdabuild.cli.unchanged"),
        *("lambdabuild.environment", "lambdabuild.errors", "lambdabuild.ledger", "lambdabuild.leftovers"),
        *("lambdabuild.locks", "lambdabuild.model", "lambdabuild.model.choices", "lambdabuild.values"),
        "False",
    ]
