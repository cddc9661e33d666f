"""What .pth files do on Lambda, whose bootstrap hands the task root and the layers' folders to ``site.addsitedir``.

https://docs.python.org/3/library/site.html: a line is a path to add to the import path if it exists, or, when it begins
with ``import``, code to run.
"""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PureWindowsPath
from typing import Literal

from lambdabuild.model.importroot import Found, Read, Root
from lambdabuild.model.lint import Remark, exclusion, listed, shown
from lambdabuild.model.syntax import parse

_EDITABLE_FILE = re.compile(r"__editable__.*|_editable_impl_.*|.*[-_]editable")
"""As setuptools, hatchling, scikit-build-core and meson-python name them."""
_EDITABLE_LINE = re.compile(r"import[ \t]+\w*editable\w*")
_LONGEST = 80

# Written by setuptools for what declares namespace_packages: the namespace becomes a module of this folder alone.
_NAMESPACE = re.compile(
    r"import sys, ?types, ?os;.*\._getframe\(1\)\.f_locals\['sitedir'\], \*\((?P<parts>[^)]*)\)\);.*\bmp\.append\(p\).*"
)
# Of setuptools: `import distutils` finds its copy, and nothing else is touched.
_DISTUTILS = re.compile(
    r"import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os\.environ\.get\(var, '\w+'\) == 'local'; "
    r"enabled and __import__\('_distutils_hack'\)(\.add_shim\(\))?;?"
)
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
_LAMBDAS_VARIABLE = re.compile(r"(AWS|LAMBDA|_).*|LANG|TZ|PATH|LD_LIBRARY_PATH|NODE_PATH|PYTHONPATH|HOME|PWD")

Deed = Literal["nothing", "outside", "missing", "editable", "runs"]
_SAID: dict[Deed, str] = {
    "outside": "adds to the import path what is outside of the artifact",
    "missing": "adds to the import path what is not in the artifact",
    "editable": "is of an editable install, and the code is not in the artifact",
    "runs": "runs code whenever a function starts",
}
_ADVICE: dict[Deed, str] = {
    "outside": "package what it points to, as a dependency or as code, and leave the file out",
    "missing": "keep the folder, or leave the file out",
    "editable": "install the distribution itself, not an editable one (no -e), or leave the file out",
    "runs": "Lambda's runtime runs the .pth files of a function and its layers; if this one is not wanted",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line that does something."""

    number: int
    text: str
    deed: Deed


def pth_files(root: Root) -> dict[str, Found]:
    """Those that the runtime reads, by name: hidden ones are passed over."""
    files = root.files.items()
    return {path: found for path, found in files if path.endswith(".pth") and path[0] != "." and "/" not in path}


def remark_pth(root: Root, read: Read) -> Iterator[Remark]:
    """What the .pth files of one artifact do that it hardly wants; a file that does no harm is not spoken of."""
    for name, found in pth_files(root).items():
        lines = list(parse_pth(name, read(found.entry.member), root))
        for deed, said in _SAID.items():
            texts = [f"{_shortened(line.text)} (line {line.number})" for line in lines if line.deed == deed]
            if texts:
                yield Remark(
                    artifact=found.artifact,
                    code="pth-file",
                    text=f"{name} of {shown(found.entry.owner)} {said}: {listed(texts)}",
                    hint=f"{_ADVICE[deed]}: {exclusion([name])}",
                )


def parse_pth(name: str, text: str, root: Root) -> Iterator[Line]:
    """The lines of a .pth file at a root, without comments, and what each does."""
    editable = _EDITABLE_FILE.fullmatch(name.removesuffix(".pth")) is not None
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        if line.startswith("#") or not line.strip():
            continue
        code = line.startswith(("import ", "import\t"))
        deed = _code_deed(line.rstrip()) if code else _path_deed(line.rstrip(), root)
        if editable and deed != "nothing":
            deed = "editable"
        yield Line(number=number, text=line.rstrip(), deed=deed)


def find_namespace(line: str) -> str | None:
    """The namespace package, as a folder, that a line of setuptools' makes a module of its own root alone."""
    match = _NAMESPACE.fullmatch(line)
    return "/".join(re.findall(r"'([^']+)'", match["parts"])) if match else None


def _code_deed(line: str) -> Deed:
    if find_namespace(line) is not None or _DISTUTILS.fullmatch(line) or _sleeps(line):
        return "nothing"
    return "editable" if _EDITABLE_LINE.match(line) else "runs"


def _sleeps(code: str) -> bool:
    """Whether code does nothing until a variable is set that Lambda does not set: the hooks of coverage and others."""
    try:
        statements = parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    for statement in statements:
        match statement:
            case ast.Import(names=names) if all(name.name in ("os", "sys") for name in names):
                pass
            case ast.Expr(value=ast.Call(func=ast.Name(id="exec"), args=[ast.Constant(value=str(inner))])):
                if not _sleeps(inner):
                    return False
            case ast.If(test=test, orelse=[]) if all(map(_asks_for_variable, _alternatives(test))):
                pass
            case _:
                return False
    return True


def _alternatives(test: ast.expr) -> list[ast.expr]:
    return test.values if isinstance(test, ast.BoolOp) else [test]


def _asks_for_variable(test: ast.expr) -> bool:
    match test:
        case ast.Compare(left=ast.Constant(value=str(name)), ops=[ast.In()], comparators=[where]):
            return ast.unparse(where) == "os.environ" and not _LAMBDAS_VARIABLE.fullmatch(name)
        case ast.Call(func=function, args=[ast.Constant(value=str(name))], keywords=[]):
            asked = ast.unparse(function) in ("os.getenv", "os.environ.get")
            return asked and not _LAMBDAS_VARIABLE.fullmatch(name)
    return False


def _path_deed(line: str, root: Root) -> Deed:
    path = posixpath.normpath(posixpath.join(root.folder, line))
    if path == root.folder:
        return "nothing"
    if PureWindowsPath(line).drive or not path.startswith(f"{root.folder}/"):
        return "outside"
    inner = path[len(root.folder) + 1 :]
    there = inner in root.files or any(file.startswith(f"{inner}/") for file in root.files)
    return "nothing" if there else "missing"


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
