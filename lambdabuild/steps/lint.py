"""The import paths of a plan's artifacts, looked over before anything is written."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from lambdabuild.configfile import read_stdlib
from lambdabuild.model.filenames import remark_file_names
from lambdabuild.model.importpath import remark_import_path
from lambdabuild.model.importroot import LAYERS_ROOT, TASK_ROOT, Root, tree_root
from lambdabuild.model.lint import Remark
from lambdabuild.model.plan import FunctionPlan, Plan
from lambdabuild.model.pthfiles import remark_pth
from lambdabuild.model.segment import Member
from lambdabuild.model.target import Target
from lambdabuild.model.toplevel import remark_top_level
from lambdabuild.model.tree import Tree
from lambdabuild.model.unpackaged import remark_unpackaged
from lambdabuild.slices import each_with_data


def lint(
    plan: Plan,
    trees: Mapping[str, Tree],
    layers: Mapping[str, Tree],
    *,
    find_hint: Callable[[FunctionPlan, str], str | None] = lambda function, module: None,
) -> Iterator[Remark]:
    """What the path lint remarks: ``trees`` by artifact file, and those of all attached layers by name.

    ``find_hint`` tells how a module of the project comes into a function's archive.
    """
    roots = {
        layer.name: tree_root(layers[layer.name], artifact=layer.file, root=layer.root, mount=LAYERS_ROOT)
        for layer in plan.all_layers
        if layer.name in layers
    }
    for layer in plan.layers:
        yield from _of_one(roots[layer.name], trees[layer.file], layer.file, layer.target)
    for function in plan.functions:
        tree, python = trees[function.file], function.target.runtime.python
        root = tree_root(tree, artifact=function.file, root="", mount=TASK_ROOT)
        yield from _of_one(root, tree, function.file, function.target)
        attached = [roots[layer.name] for layer in function.attached_layers]
        yield from remark_import_path(root, attached, file=function.file, python=python, read=_read)
        if len(attached) == len(function.attached):  # of a layer that is published already nothing tells what it brings
            yield from remark_unpackaged(
                root,
                attached,
                file=function.file,
                handler=function.sources.handler,
                stdlib=read_stdlib()[python],
                read=_read,
                find_hint=partial(find_hint, function),
            )


def _of_one(root: Root, tree: Tree, file: str, target: Target) -> Iterator[Remark]:
    yield from remark_pth(root, _read)
    yield from remark_top_level(root, read_stdlib()[target.runtime.python])
    yield from remark_file_names(tree.entries, artifact=file)


def _read(member: Member) -> str:
    """The text of a member, whatever its bytes are."""
    ((_, data),) = each_with_data([member])
    return (zlib.decompress(data, wbits=-zlib.MAX_WBITS) if member.method else data).decode(errors="replace")
