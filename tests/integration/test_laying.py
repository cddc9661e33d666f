"""builders.laying: what uv lays down in the image is what the index of a wheel says, without network or credentials."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from lambdabuild import configfile
from lambdabuild.builders.engine import Engine
from lambdabuild.builders.handover import Handover
from lambdabuild.builders.laying import lay_down
from lambdabuild.inspection import inspect
from lambdabuild.model.events import Event
from lambdabuild.model.target import Target, find_runtime
from lambdabuild.uv import find_binary
from lambdabuild.wheels.index import index_wheel, installed
from lambdabuild.wheels.installed import Expected, LaidFile, expected, find_differences
from lambdabuild.wheels.wheelfile import WheelFile
from tests.wheels import Wheel, wheel

TOOL = wheel(
    "tool",
    files={
        "tool/__init__.py": "def main(): ...\n",
        "tool/run.sh": "#!/bin/sh\n",
        "tool-1.0.data/scripts/tool-script": "#!python\nimport tool\n",
        "tool-1.0.data/data/share/tool.txt": "data\n",
    },
    launchers={"tool": "tool:main"},
    executables=["tool/run.sh"],
)
OTHER = wheel("other", files={"other.py": "O = 1\n", "tool/other.py": "O = 2\n"})
SAME_PATH = wheel("same", files={"other.py": "O = 3\n"})


class Laid:
    """The engine, and what is laid down there."""

    def __init__(self, folder: Path, image: str) -> None:
        self.folder = folder
        runtime = find_runtime(configfile.read_runtimes(), "python3.13")
        assert runtime is not None
        self.target = Target(runtime=runtime, architecture="x86_64")
        self.engine = Engine(image=image, environ={})
        self.handover = Handover(engine=self.engine, uv=find_binary(), environ={})
        self.events: list[Event] = []

    def file(self, one: Wheel) -> WheelFile:
        path = self.folder / one.sha256
        path.write_bytes(one.data)
        return WheelFile(path=path, filename=one.filename)

    def expected(self, one: Wheel) -> Expected:
        return expected(installed(index_wheel(self.file(one), inspect=inspect), "3.13"))

    def lay_down(self, *rooms: list[Wheel]) -> tuple[Mapping[str, LaidFile], ...]:
        files = [[self.file(one) for one in room] for room in rooms]
        return lay_down(
            files,
            self.target,
            engine=self.engine,
            handover=self.handover,
            scratch=self.scratch,
            listen=self.events.append,
        )

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        folder = self.folder / "scratch"
        folder.mkdir()
        yield folder


@pytest.fixture
def laid(tmp_path: Path, image_template: str) -> Laid:
    return Laid(tmp_path, image_template)


@pytest.mark.parametrize("near", [True, False])
def test_the_image_lays_down_what_the_index_says(laid: Laid, near: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not near:  # an engine that takes no files of this machine is sent them
        monkeypatch.setattr(Engine, "near", property(lambda engine: False))
    listing, other = laid.lay_down([TOOL, OTHER], [SAME_PATH])
    assert list(find_differences([laid.expected(TOOL), laid.expected(OTHER)], listing)) == []
    assert list(find_differences([laid.expected(SAME_PATH)], other)) == []
    assert {"tool/run.sh", "bin/tool", "bin/tool-script", "share/tool.txt", "other.py"} < listing.keys()
    assert laid.events[-1].text == "installing 3 distributions for python3.13 x86_64 in the image"


def test_a_difference_is_found(laid: Laid) -> None:
    (listing,) = laid.lay_down([OTHER])
    assert list(find_differences([laid.expected(SAME_PATH)], listing)) == [
        "same 1.0: other.py was laid down with the sha256 "
        f"{listing['other.py'].sha256} in place of {laid.expected(SAME_PATH).files['other.py'].sha256}",
        "same 1.0: same-1.0.dist-info/METADATA was not laid down",
        "same 1.0: same-1.0.dist-info/WHEEL was not laid down",
        "other-1.0.dist-info/METADATA was laid down, and no wheel holds it",
        "other-1.0.dist-info/WHEEL was laid down, and no wheel holds it",
        "tool/other.py was laid down, and no wheel holds it",
    ]
