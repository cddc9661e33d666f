"""model.audit, model.loading and model.complaints: which binaries a runtime cannot load, and what is said of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from lambdabuild.model.attempts import Code
from lambdabuild.model.audit import check, find_missing
from lambdabuild.model.complaints import CODES, finding_of, judge
from lambdabuild.model.elf import read_binary
from lambdabuild.model.elfs import Elf, Unit
from lambdabuild.model.limits import Finding
from lambdabuild.model.loading import Loading
from lambdabuild.model.target import Target
from lambdabuild.model.tree import SOURCES
from tests.elves import AARCH64, EXECUTABLE, I386, elf
from tests.samples import RUNTIMES, target

TAGGED = "demo/_fast.cpython-313-x86_64-linux-gnu.so"
PY311 = target("3.11")
IMPORTS = "from . import _fast"
TRIES = "try:\n    from . import _fast\nexcept ImportError:\n    pass"

Files = Mapping[str, bytes]


def unit(files: Mapping[str, Files], of: Target, code: Mapping[str, str], **changes: Any) -> Unit:
    elfs = []
    for owner, contents in files.items():
        for path, content in contents.items():
            binary = read_binary(path, content)
            assert binary is not None
            elfs.append(Elf(path=path, owner=owner, binary=binary))
    plain = Unit(
        target=of,
        archives=("layer.zip",),
        elfs=tuple(elfs),
        modules=frozenset((owner, path) for owner in files for path in code),
    )
    return replace(plain, **changes)


def audited(
    files: Files | None = None,
    of: Target | None = None,
    *,
    code: Mapping[str, str] | None = None,
    others: Mapping[str, Files] | None = None,
    owner: str = "demo 1.0",
    image: Sequence[str] | None = (),
    **changes: Any,
) -> list[Finding]:
    """What is found of a distribution's files, by default with an image that has no more than every runtime."""
    code = {"demo/__init__.py": IMPORTS} if code is None else code
    whole = unit({owner: files or {}, **(others or {})}, of or target(), code, **changes)
    loading = Loading(whole.elfs, lambda _: Code({path: text.encode() for path, text in code.items()}))
    known = None if image is None else frozenset(image)
    verdicts = judge(check(whole, known), whole, loading)
    found = [(one, finding_of(one, whole, loading, runtimes=RUNTIMES, image=known is not None)) for one in verdicts]
    assert [finding.code for _, finding in found] == [CODES[verdict.worst.kind] for verdict, _ in found]
    return [replace(finding, code="note") for _, finding in found]  # the tests are about the words


def error(message: str, hint: str) -> list[Finding]:
    return [Finding(severity="error", code="note", message=message, hint=hint)]


def warning(message: str, hint: str) -> list[Finding]:
    return [Finding(severity="warning", code="note", message=message, hint=hint)]


def glibc(*versions: str, **more: Any) -> bytes:
    return elf(versions={"libc.so.6": [f"GLIBC_{version}" for version in versions]}, **more)


SOUND = {
    "tagged": {TAGGED: elf(needed=["libc.so.6", "libstdc++.so.6", "libz.so.1", "libpython3.13.so.1.0"])},
    "abi3": {"demo/_fast.abi3.so": glibc("2.17", "2.34")},
    "plain": {"demo/_fast.so": glibc("2.2.5")},
    "private": {TAGGED: elf(versions={"libc.so.6": ["GLIBC_PRIVATE"], "libgcc_s.so.1": ["GCC_14.0.0"]})},
    "libstdc++": {TAGGED: elf(versions={"libstdc++.so.6": ["GLIBCXX_3.4.29", "CXXABI_1.3.13", "CXXABI_TM_1"]})},
    "bundled": {
        TAGGED: elf(needed=["libdemo-1a2b.so.3"]),
        "demo.libs/libdemo-1a2b.so.3": elf(needed=["libstdc++-3c4d.so.6"], soname="libdemo-1a2b.so.3"),
        "demo.libs/libstdc++-3c4d.so.6": elf(
            soname="libstdc++-3c4d.so.6", versions={"libstdc++-3c4d.so.6": ["GLIBCXX_3.4.99"]}
        ),
    },
    "its-own-libstdc++": {
        TAGGED: elf(needed=["libstdc++.so.6"], versions={"libstdc++.so.6": ["GLIBCXX_3.4.40"]}),
        "demo/lib/libstdc++.so.6": elf(soname="libstdc++.so.6"),
    },
    "by-path": {TAGGED: elf(needed=["$ORIGIN/lib/libdemo.so"]), "demo/lib/libdemo.so": elf()},
    "for-several-pythons": {TAGGED: elf(), "demo/_fast.cpython-312-x86_64-linux-gnu.so": elf()},
    "for-several-machines": {"bin/x86/tool": elf(kind=EXECUTABLE), "bin/arm/tool": elf(AARCH64, kind=EXECUTABLE)},
    "plugins-for-others": {TAGGED: elf(), "demo/attach_x86.so": elf(I386)},
    "no-extension-module": {"demo/model.avx2.so": elf()},
}


@pytest.mark.parametrize("files", SOUND.values(), ids=SOUND)
def test_what_a_runtime_can_load(files: Files) -> None:
    assert audited(files) == []


def test_what_one_archive_brings_another_may_need() -> None:
    files = {TAGGED: elf(needed=["libother.so.2"])}
    assert audited(files, others={"other 2.0": {"other/libother-2.so": elf(soname="libother.so.2")}}) == []
    assert find_missing(unit({"demo 1.0": files}, target(), {})) == {"libother.so.2"}
    whole = {"demo 1.0": files, "other 2.0": {"other/libother.so.2": elf(AARCH64)}}
    assert find_missing(unit(whole, target(), {})) == {"libother.so.2"}


def test_a_python_module_stands_in() -> None:
    wrong = {"demo/_fast.cpython-312-x86_64-linux-gnu.so": elf()}
    assert audited(wrong, code={"demo/__init__.py": IMPORTS, "demo/_fast.py": ""}) == []


def test_the_wrong_machine() -> None:
    hint = "pin a version of demo with a wheel for python3.13 x86_64"
    assert audited({"demo/_fast.abi3.so": elf(AARCH64)}) == error(
        "demo 1.0: demo/_fast.abi3.so is for arm64, not for python3.13 x86_64", hint
    )
    wrong = elf(AARCH64, needed=["libnowhere.so"], versions={"libc.so.6": ["GLIBC_2.99"]})
    assert audited({TAGGED: wrong, "demo/_fast.so": elf(I386)}) == error(
        f"demo 1.0: {TAGGED} and 1 more file are for arm64, not for python3.13 x86_64", hint
    )
    assert audited({TAGGED: elf(I386)}) == error(f"demo 1.0: {TAGGED} is for EM_386, not for python3.13 x86_64", hint)
    assert audited({"lib.so": elf()}, target("3.12", "arm64"), owner=SOURCES) == error(
        "(sources): lib.so is for x86_64, not for python3.12 arm64",
        'compile it for python3.12 arm64, or leave it out: exclude = ["/lib.so"]',
    )


def test_the_wrong_python() -> None:
    files = {f"demo/_{name}.cpython-312-x86_64-linux-gnu.so": elf() for name in ("a", "b", "c")}
    looks_for = "which imports .cpython-313-x86_64-linux-gnu.so, .abi3.so or .so"
    assert audited(files) == error(
        "demo 1.0: demo/_a.cpython-312-x86_64-linux-gnu.so and 2 more files are not for python3.13 x86_64, "
        + looks_for,
        "pin a version of demo with a wheel for python3.13 x86_64",
    )
    assert audited({"demo/_a.cpython-313-aarch64-linux-gnu.so": elf()}) == error(
        "demo 1.0: demo/_a.cpython-313-aarch64-linux-gnu.so is not for python3.13 x86_64, " + looks_for,
        "pin a version of demo with a wheel for python3.13 x86_64",
    )
    assert audited({"_a.pypy310-pp73-x86_64-linux-gnu.so": elf()}, owner=SOURCES) == error(
        "(sources): _a.pypy310-pp73-x86_64-linux-gnu.so is not for python3.13 x86_64, " + looks_for,
        'compile it for python3.13 x86_64, or leave it out: exclude = ["/_a.pypy310-pp73-x86_64-linux-gnu.so"]',
    )


def test_a_glibc_that_is_too_new() -> None:
    name = "demo/_fast.abi3.so"
    assert audited({name: glibc("2.17", "2.28", "2.27")}, PY311) == error(
        f"demo 1.0: {name} needs GLIBC_2.28; python3.11 (Amazon Linux 2) has glibc 2.26",
        "use python3.12 or newer, or pin a version of demo with a wheel for python3.11 x86_64",
    )
    assert audited(
        {name: glibc("2.27"), "demo/_a.abi3.so": glibc("2.17"), "demo/_z.abi3.so": glibc("2.34")}, PY311
    ) == (
        error(
            "demo 1.0: demo/_z.abi3.so and 1 more file need GLIBC_2.34; python3.11 (Amazon Linux 2) has glibc 2.26",
            "use python3.12 or newer, or pin a version of demo with a wheel for python3.11 x86_64",
        )
    )
    assert audited({name: glibc("2.38")}) == error(
        f"demo 1.0: {name} needs GLIBC_2.38; python3.13 (Amazon Linux 2023) has glibc 2.34",
        "pin a version of demo with a wheel for python3.13 x86_64",
    )
    assert audited({name: elf(versions={"libc.so.6": ["GLIBC_ABI_DT_RELR"]})}, owner=SOURCES) == error(
        f"(sources): {name} needs GLIBC_ABI_DT_RELR; python3.13 (Amazon Linux 2023) has glibc 2.34",
        f'compile it for python3.13 x86_64, or leave it out: exclude = ["/{name}"]',
    )


def test_a_libstdcxx_that_is_too_new() -> None:
    def file(*versions: str) -> Files:
        return {TAGGED: elf(needed=["libstdc++.so.6"], versions={"libstdc++.so.6": versions})}

    of_311 = TAGGED.replace("313", "311")
    assert audited({of_311: file("GLIBCXX_3.4.26", "CXXABI_1.3.11")[TAGGED]}, PY311) == error(
        f"demo 1.0: {of_311} needs GLIBCXX_3.4.26; python3.11 (Amazon Linux 2) has GLIBCXX_3.4.24",
        "use python3.12 or newer, or pin a version of demo with a wheel for python3.11 x86_64",
    )
    assert audited(file("CXXABI_1.3.16")) == error(
        f"demo 1.0: {TAGGED} needs CXXABI_1.3.16; python3.13 (Amazon Linux 2023) has CXXABI_1.3.13",
        "pin a version of demo with a wheel for python3.13 x86_64",
    )
    assert audited(file("GLIBCXX_3.4.30")) == warning(
        f"demo 1.0: {TAGGED} needs GLIBCXX_3.4.30; python3.13 (Amazon Linux 2023) has GLIBCXX_3.4.29, or "
        "GLIBCXX_3.4.33 where it is up to date",
        "pin a version of demo with a wheel for python3.13 x86_64",
    )


def test_a_library_that_is_not_there() -> None:
    files = {"demo/_fast.abi3.so": elf(needed=["libGL.so.1", "libc.so.6"])}
    bring = "bring libGL.so.1 along (Lambda finds it in lib/ of a function's source), or "
    message = "demo 1.0: demo/_fast.abi3.so needs libGL.so.1, which neither layer.zip nor "
    assert audited(files) == error(message + "the python3.13 image has", bring + "do without demo")
    assert audited(files, built=frozenset({"demo 1.0"})) == error(
        message + "the python3.13 image has",
        "repair = true in [tool.lambdabuild.build] puts it beside the extension, or do without demo",
    )
    assert audited(files, image=["libGL.so.1"]) == []
    assert audited(files, image=None) == warning(
        message + "Amazon Linux 2023 is known to have",
        bring + 'leave it out: exclude = ["/demo/_fast.abi3.so"]',
    )
    assert audited(files, archives=("api.zip", "a.zip"), complete=False) == warning(
        "demo 1.0: demo/_fast.abi3.so needs libGL.so.1, which neither api.zip + a.zip nor the python3.13 image has; "
        "the layers of others may",
        bring + 'leave it out: exclude = ["/demo/_fast.abi3.so"]',
    )


def test_a_library_of_a_library() -> None:
    files = {
        "demo/_fast.abi3.so": elf(needed=["libdemo.so.3"]),
        "demo.libs/libdemo.so.3": elf(needed=["libX11.so.6"], soname="libdemo.so.3"),
        "demo/plugins/libqxcb.so": elf(needed=["libxcb.so.1"]),
    }
    assert audited(files) == error(
        "demo 1.0: demo.libs/libdemo.so.3 (which demo/_fast.abi3.so loads) needs libX11.so.6, which neither layer.zip "
        "nor the python3.13 image has",
        "bring libX11.so.6 along (Lambda finds it in lib/ of a function's source), or do without demo",
    )


def test_many_libraries() -> None:
    files = {f"demo/_{n}.abi3.so": elf(needed=[f"lib{n}.so.1", f"lib{n}.so.2"]) for n in "abcd"}
    assert audited(files)[0].message == (
        "demo 1.0: demo/_a.abi3.so and 3 more files need liba.so.1, liba.so.2, libb.so.1, libb.so.2, libc.so.1, "
        "libc.so.2 and 2 more, which neither layer.zip nor the python3.13 image has"
    )


BROKEN = elf(needed=["libGL.so.1"])
LOADED = {
    "an extension module that nobody imports": ({TAGGED: BROKEN}, ""),
    "one that is imported": ({TAGGED: BROKEN}, IMPORTS),
    "one without a tag": ({"demo/_fast.so": BROKEN}, IMPORTS),
    "one on top": ({"fast.so": BROKEN}, ""),
    "a library that code names": ({"demo/lib/libfast.so": BROKEN}, "NAME = 'libfast.so'"),
    "a library of such a library": (
        {"demo/lib/libfast.so": elf(needed=["libfaster.so"]), "demo/libfaster.so": BROKEN},
        "NAME = 'libfast.so'",
    ),
    "libraries that need each other": (
        {
            "demo/liba.so": elf(needed=["libb.so"]),
            "demo/libb.so": elf(needed=["liba.so", "libGL.so.1"]),
            TAGGED: elf(needed=["liba.so"]),
        },
        "",
    ),
}
UNLOADED = {
    "an extension module that is only tried": ({TAGGED: BROKEN}, TRIES),
    "one without a tag": ({"demo/_fast.so": BROKEN}, TRIES),
    "a plugin": ({"demo/plugins/libfast.so": BROKEN}, ""),
    "a program": ({"bin/fast": elf(kind=EXECUTABLE, needed=["libGL.so.1"])}, "NAME = 'fast'"),
    "a library of a program": (
        {"bin/fast": elf(kind=EXECUTABLE, needed=["libfast.so"]), "lib/libfast.so": BROKEN},
        "NAME = 'fast'",
    ),
    "libraries that need each other": (
        {"demo/liba.so": elf(needed=["libb.so"]), "demo/libb.so": elf(needed=["liba.so", "libGL.so.1"])},
        "",
    ),
}


@pytest.mark.parametrize(("files", "text"), LOADED.values(), ids=LOADED)
def test_files_that_are_loaded_for_certain(files: Files, text: str) -> None:
    assert [one.severity for one in audited(files, code={"demo/__init__.py": text})] == ["error"]


@pytest.mark.parametrize(("files", "text"), UNLOADED.values(), ids=UNLOADED)
def test_files_that_a_function_may_do_without(files: Files, text: str) -> None:
    assert [one.severity for one in audited(files, code={"demo/__init__.py": text})] == ["warning"]
    assert [one.severity for one in audited(files, code={}, owner=SOURCES)] == ["error"]


def test_what_may_do_no_harm() -> None:
    assert audited({TAGGED: BROKEN}, code={"demo/__init__.py": TRIES}) == warning(
        f"demo 1.0: {TAGGED} needs libGL.so.1, which neither layer.zip nor the python3.13 image has",
        "bring libGL.so.1 along (Lambda finds it in lib/ of a function's source), or leave it out: exclude = "
        f'["/{TAGGED}"]',
    )
    assert audited({"bin/tool": elf(AARCH64, kind=EXECUTABLE)}) == warning(
        "demo 1.0: bin/tool is for arm64, not for python3.13 x86_64", 'leave it out: exclude = ["/bin/tool"]'
    )


def test_damaged_files() -> None:
    assert audited({TAGGED: elf()[:90]}) == error(
        f"demo 1.0: {TAGGED} is damaged: ELF that cannot be read", f'leave it out: exclude = ["/{TAGGED}"]'
    )


def test_findings_of_several_owners() -> None:
    found = audited({TAGGED: glibc("2.99")}, others={"other 2.0": {"other.abi3.so": elf(AARCH64)}})
    assert [one.message.partition(":")[0] for one in found] == ["demo 1.0", "other 2.0"]
