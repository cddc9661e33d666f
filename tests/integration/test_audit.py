"""Binaries that the runtime cannot load: each kind in a wheel or in the sources, refused before a byte is zipped."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from tests.elves import AARCH64, EXECUTABLE, elf
from tests.wheels import Wheel, wheel

HANDLER = "def handler(event, context):\n    return 1\n"
BUILDERS = ("docker", "host")
IMAGE_HAS, HOST_KNOWS = "the python3.13 image has", "Amazon Linux 2023 is known to have"


class Trial:
    """A project of a function ``app`` and a layer ``layer`` of the wheels that it is given."""

    def __init__(self, folder: Path, lambdabuild: Callable) -> None:
        self.folder, self._lambdabuild = folder, lambdabuild
        self.output = folder / "dist" / "lambda"

    def write(
        self,
        *wheels: Wheel,
        python: str = "3.13",
        architecture: str = "x86_64",
        files: Mapping[str, str | bytes] | None = None,
        more: str = "",
    ) -> Trial:
        (self.folder / "wheels").mkdir(parents=True, exist_ok=True)
        sources = ""
        for one in wheels:
            (self.folder / "wheels" / one.filename).write_bytes(one.data)
            sources += f'{one.name} = {{ path = "wheels/{one.filename}" }}\n'
        dependencies = ", ".join(f'"{one.name}"' for one in wheels)
        (self.folder / "pyproject.toml").write_text(
            '[project]\nname = "project"\nversion = "1"\nrequires-python = ">=3.10"\n'
            f"dependencies = [{dependencies}]\n[tool.uv.sources]\n{sources}"
            f'[tool.lambdabuild]\npython = "{python}"\narchitecture = "{architecture}"\n{more}\n'
            '[tool.lambdabuild.functions.app]\nhandler = "app.handler"\nsource = "src"\n'
        )
        for name, content in ({"app.py": HANDLER} | dict(files or {})).items():
            path = self.folder / "src" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        (self.folder / "uv.lock").unlink(missing_ok=True)  # a wheel of the same name may be another one
        subprocess.run([sys.executable, "-m", "uv", "lock", "--quiet", "--project", self.folder], check=True)
        return self

    def run(self, command: str, *argv: str, code: int = 0) -> str:
        """What is said of the binaries, or whatever else is wrong; without progress."""
        done = self._lambdabuild(command, "--project", self.folder, *argv, code=code)
        said = [line for line in done.stderr.splitlines() if not line.endswith("…")]
        return "".join(f"{line}\n" for line in said)

    def build(self, builder: str, *argv: str, code: int = 0) -> str:
        return self.run("package", "--no-verify", "--builder", builder, *argv, code=code)

    def refused(self, builder: str) -> str:
        """The error; what was built before stands as it was."""
        before = self.fingerprint()
        said = self.build(builder, code=3)
        assert self.fingerprint() == before
        return said

    def fingerprint(self) -> dict[str, str]:
        found = sorted(self.output.iterdir()) if self.output.exists() else []
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


@pytest.fixture
def trial(tmp_path: Path, lambdabuild: Callable) -> Trial:
    """Built once, with nothing wrong."""
    made = Trial(tmp_path / "project", lambdabuild).write(wheel("plain"))
    assert made.build("host") == ""
    assert sorted(made.fingerprint()) == ["app.zip", "layer.zip", "manifest.json"]
    return made


def native(files: Mapping[str, str | bytes], tag: str = "py3-none-any") -> Wheel:
    return wheel("demo", files={"demo/__init__.py": "from . import _fast\n", **files}, tag=tag)


@pytest.mark.parametrize("builder", BUILDERS)
def test_the_wrong_machine(builder: str, trial: Trial) -> None:
    trial.write(native({"demo/_fast.abi3.so": elf(AARCH64), "demo/_more.abi3.so": elf(AARCH64)}))
    assert trial.refused(builder) == (
        "error: demo 1.0: demo/_fast.abi3.so and 1 more file are for arm64, not for python3.13 x86_64\n"
        "  hint: pin a version of demo with a wheel for python3.13 x86_64\n"
    )
    trial.write(native({"demo/_fast.abi3.so": elf()}), architecture="arm64")
    assert trial.refused(builder) == (
        "error: demo 1.0: demo/_fast.abi3.so is for x86_64, not for python3.13 arm64\n"
        "  hint: pin a version of demo with a wheel for python3.13 arm64\n"
    )


@pytest.mark.parametrize("builder", BUILDERS)
def test_a_glibc_that_is_too_new(builder: str, trial: Trial) -> None:
    """Its tag promises an old one, and the stand-in for the image has a newer one than the runtime."""
    new = elf(needed=["libc.so.6"], versions={"libc.so.6": ["GLIBC_2.17", "GLIBC_2.28"]})
    tag = "cp311-cp311-manylinux_2_17_x86_64"
    trial.write(native({"demo/_fast.cpython-311-x86_64-linux-gnu.so": new}, tag), python="3.11")
    assert trial.refused(builder) == (
        "error: demo 1.0: demo/_fast.cpython-311-x86_64-linux-gnu.so needs GLIBC_2.28; "
        "python3.11 (Amazon Linux 2) has glibc 2.26\n"
        "  hint: use python3.12 or newer, or pin a version of demo with a wheel for python3.11 x86_64\n"
    )


def test_a_libstdcxx_that_is_too_new(trial: Trial) -> None:
    new = elf(needed=["libstdc++.so.6"], versions={"libstdc++.so.6": ["GLIBCXX_3.4.29", "CXXABI_1.3.9"]})
    trial.write(native({"demo/_fast.abi3.so": new}), python="3.11")
    assert trial.refused("docker") == (
        "error: demo 1.0: demo/_fast.abi3.so needs GLIBCXX_3.4.29; python3.11 (Amazon Linux 2) has GLIBCXX_3.4.24\n"
        "  hint: use python3.12 or newer, or pin a version of demo with a wheel for python3.11 x86_64\n"
    )


@pytest.mark.parametrize("builder", BUILDERS)
def test_the_wrong_python(builder: str, trial: Trial) -> None:
    trial.write(native({"demo/_fast.cpython-312-x86_64-linux-gnu.so": elf()}))
    assert trial.refused(builder) == (
        "error: demo 1.0: demo/_fast.cpython-312-x86_64-linux-gnu.so is not for python3.13 x86_64, "
        "which imports .cpython-313-x86_64-linux-gnu.so, .abi3.so or .so\n"
        "  hint: pin a version of demo with a wheel for python3.13 x86_64\n"
    )


def test_a_library_that_is_not_there(trial: Trial) -> None:
    """An error where the image can be asked, a warning where it cannot."""
    trial.write(native({"demo/_fast.abi3.so": elf(needed=["libc.so.6", "libnowhere.so.7"])}))
    message = "demo 1.0: demo/_fast.abi3.so needs libnowhere.so.7, which neither app.zip + layer.zip nor "
    bring = "  hint: bring libnowhere.so.7 along (Lambda finds it in lib/ of a function's source), or "
    assert trial.refused("docker") == f"error: {message}{IMAGE_HAS}\n{bring}do without demo\n"
    assert trial.build("host") == (
        f'warning: {message}{HOST_KNOWS}\n{bring}leave it out: exclude = ["/demo/_fast.abi3.so"]\n'
    )
    assert trial.run("validate") == (
        "warning: layer.zip: demo/_fast.abi3.so needs libnowhere.so.7, which neither app.zip + layer.zip nor "
        f'{HOST_KNOWS}\n{bring}leave it out: exclude = ["/demo/_fast.abi3.so"]\n'
    )
    assert trial.build("docker", "--skip-validation") == f"warning: {message}{IMAGE_HAS}\n{bring}do without demo\n"


def test_the_ways_out(trial: Trial) -> None:
    broken = elf(needed=["libnowhere.so.7"])
    brings = elf(soname="libnowhere.so.7")
    needy = native({"demo/_fast.abi3.so": broken})
    trial.write(needy, wheel("brings", files={"brings.libs/libnowhere.so.7": brings}))
    assert trial.build("docker") == ""
    trial.write(needy, files={"lib/libnowhere.so.7": brings})
    assert trial.build("docker") == ""
    (trial.folder / "src" / "lib" / "libnowhere.so.7").unlink()
    trial.write(needy, more='exclude = ["/demo/_fast.abi3.so"]')
    assert trial.build("docker") == ""


def test_libraries_that_the_image_has(trial: Trial) -> None:
    """Not every runtime surely has these; the image does (libpython, and what its own Python was linked with)."""
    trial.write(native({"demo/_fast.abi3.so": elf(needed=["libcrypto.so.3", "libbz2.so.1.0"])}))
    assert trial.build("docker") == ""


def test_what_a_distribution_can_do_without(trial: Trial) -> None:
    tries = "try:\n    from . import _fast\nexcept ImportError:\n    _fast = None\n"
    files = {
        "demo/__init__.py": tries,
        "demo/_fast.abi3.so": elf(needed=["libnowhere.so.7"]),
        "demo/bin/tool": elf(AARCH64, kind=EXECUTABLE),
    }
    trial.write(native(files))
    assert trial.build("docker") == (
        "warning: demo 1.0: demo/_fast.abi3.so needs libnowhere.so.7, which neither app.zip + layer.zip nor "
        f"{IMAGE_HAS}\n"
        "  hint: bring libnowhere.so.7 along (Lambda finds it in lib/ of a function's source), or leave it out: "
        'exclude = ["/demo/_fast.abi3.so"]\n'
    )


@pytest.mark.parametrize("fat", [(), ("--fat",)], ids=["slim", "fat"])
def test_application_code(fat: tuple[str, ...], trial: Trial) -> None:
    trial.write(wheel("plain"), files={"vendor/_fast.cpython-313-aarch64-linux-gnu.so": elf(AARCH64)})
    before = trial.fingerprint()
    assert trial.build("docker", *fat, code=3) == (
        "error: (sources): vendor/_fast.cpython-313-aarch64-linux-gnu.so is for arm64, not for python3.13 x86_64\n"
        "  hint: compile it for python3.13 x86_64, or leave it out: "
        'exclude = ["/vendor/_fast.cpython-313-aarch64-linux-gnu.so"]\n'
    )
    assert trial.fingerprint() == before


def test_a_damaged_file(trial: Trial) -> None:
    trial.write(native({"demo/_fast.abi3.so": elf()[:100]}))
    assert trial.refused("docker") == (
        "error: demo 1.0: demo/_fast.abi3.so is damaged: ELF that cannot be read\n"
        '  hint: leave it out: exclude = ["/demo/_fast.abi3.so"]\n'
    )


def test_validation_of_finished_archives(trial: Trial) -> None:
    """What was let pass once is refused by ``validate``."""
    files = {"demo/_fast.abi3.so": elf(versions={"libc.so.6": ["GLIBC_2.99"]})}
    trial.write(native(files), more='dist-info = "keep"')
    message = "demo 1.0: demo/_fast.abi3.so needs GLIBC_2.99; python3.13 (Amazon Linux 2023) has glibc 2.34\n"
    hint = "  hint: pin a version of demo with a wheel for python3.13 x86_64\n"
    assert trial.build("host", "--skip-validation") == f"warning: {message}{hint}"
    assert trial.run("validate", code=3) == f"error: {message}{hint}"
    assert trial.run("validate", "--skip-validation") == f"warning: {message}{hint}"


REAL = {
    "3.13": ["numpy", "scipy", "pyarrow", "opencv-python-headless"],
    "3.11": ["numpy==2.2.6", "scipy==1.16.3", "pyarrow==20.0.0", "opencv-python-headless==4.12.0.88"],
}
"""Some of the largest, by runtime, with what Amazon Linux 2 can load."""


def real_layer(folder: Path, names: Sequence[str], python: str, architecture: str) -> None:
    folder.mkdir(parents=True)
    (folder / "names.txt").write_text("".join(f"{name}\n" for name in names))
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "project"\nversion = "1"\n[tool.uv]\nexclude-newer = "2026-11-01T00:00:00Z"\n'
        f'[tool.lambdabuild]\npython = "{python}"\narchitecture = "{architecture}"\n'
        '[tool.lambdabuild.layers.real]\nrequirements = "names.txt"\n'
    )


@pytest.mark.parametrize(("python", "architecture"), [("3.13", "x86_64"), ("3.11", "arm64")])
def test_healthy_wheels(python: str, architecture: str, tmp_path: Path, lambdabuild: Callable) -> None:
    """Nothing at all is said of their binaries. (They are more than a layer may hold.)"""
    names = [*REAL[python], "lxml", "cryptography", "grpcio", "pydantic-core"]
    real_layer(tmp_path / "project", names, python, architecture)
    trial = Trial(tmp_path / "project", lambdabuild)
    said = trial.run("layer", "--builder", "host", "--no-verify", "--skip-validation")
    warnings = [line for line in said.splitlines() if line.startswith("warning: ")]
    assert [line.partition(" bytes ")[0][:19] for line in warnings] == ["warning: real.zip: "] * 2


def test_a_wheel_that_needs_a_display(tmp_path: Path, lambdabuild: Callable) -> None:
    real_layer(tmp_path / "project", ["opencv-python==4.12.0.88"], "3.13", "x86_64")
    said = Trial(tmp_path / "project", lambdabuild).run("layer", "--builder", "docker", "--no-verify", code=3)
    assert said.startswith("error: opencv-python 4.12.0.88: opencv_python.libs/")
    assert "(which cv2/cv2.abi3.so loads) and " in said
    assert " more files need libGL.so.1, " in said
    assert said.splitlines()[0].endswith(f", which neither real.zip nor {IMAGE_HAS}")
