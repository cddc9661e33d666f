"""builders.auto: Docker where an engine answers, else the host, decided once and told once."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest

from lambdabuild.builders.auto import AutoBuilder
from lambdabuild.builders.base import Builder, Image, Transformation, Untransformed, WheelBuild
from lambdabuild.errors import MachineError
from lambdabuild.model.events import Listener, ignore
from lambdabuild.model.requirements import Pin
from lambdabuild.model.target import Target
from lambdabuild.wheels.wheelfile import WheelFile
from tests.contract.fake_builder import FakeBuilder
from tests.samples import target
from tests.wheels import wheel

IMAGE = Image(reference="lambda:3.13", digest="sha256:" + "12" * 32)
ONE = wheel("one")
ORDER = WheelBuild(pin=Pin(name="one", version="1.0", kind="folder", path="/one", sha256="ab" * 32), target=target())


class Docker(FakeBuilder):
    name = "docker"


class Host(FakeBuilder):
    name = "host"


class Absent(Docker):
    """An engine that does not answer."""

    def image(self, target: Target, *, listen: Listener) -> Image | None:
        raise MachineError("no Docker Engine answers", hint="start Docker")


class Slow(Docker):
    """An engine to which it takes a while to connect: until it may."""

    def __init__(self) -> None:
        super().__init__(image=IMAGE)
        self.may, self.connected = Event(), Event()

    def make_ready(self) -> None:
        assert self.may.wait(60)
        self.connected.set()


class Offered:
    """An auto builder, what it makes and what it tells."""

    def __init__(self, docker: FakeBuilder, *, hosted: bool = True) -> None:
        self.docker, self.host = docker, Host(wheels={"one": ONE})
        self.made: list[str] = []
        self.notices: list[str] = []
        self.auto = AutoBuilder(
            docker=lambda: self._make(self.docker),
            host=(lambda: self._make(self.host)) if hosted else None,
            place="docker here",
            notice=self.notices.append,
        )

    def _make(self, builder: FakeBuilder) -> Builder:
        self.made.append(builder.name)
        return builder

    def lays_down(self, folder: Path) -> bool:
        """Whether what is installed can be looked at."""
        path = folder / ONE.filename
        path.write_bytes(ONE.data)
        wheel = WheelFile(path=path, filename=ONE.filename)
        return self.auto.lay_down([[wheel]], target(), listen=ignore) is not None


def test_nothing_is_made_before_it_is_needed() -> None:
    offered = Offered(Docker())
    assert (offered.auto.name, offered.auto.place) == ("auto", "auto docker here")
    assert offered.made == []


def test_where_it_has_to_be_docker() -> None:
    offered = Offered(Absent(), hosted=False)
    assert (offered.auto.name, offered.auto.place) == ("docker", "docker here")
    assert offered.made == []
    with pytest.raises(MachineError, match=r"^no Docker Engine answers"):
        offered.auto.image(target(), listen=ignore)
    assert (offered.made, offered.notices) == (["docker"], [])


def test_connecting_beside_what_follows() -> None:
    engine = Slow()
    offered = Offered(engine)
    offered.auto.make_ready()
    assert offered.auto.image(target(), listen=ignore) == IMAGE
    assert offered.made == ["docker"]
    assert not engine.connected.is_set()
    engine.may.set()
    assert engine.connected.wait(60)


def test_an_engine_that_answers(tmp_path: Path) -> None:
    offered = Offered(Docker(image=IMAGE))
    assert offered.auto.image(target(), listen=ignore) == IMAGE
    assert offered.auto.name == "docker"
    assert offered.lays_down(tmp_path)
    assert offered.docker.laid == [[["one 1.0"]]]
    assert (offered.made, offered.notices) == (["docker"], [])


def test_an_image_tells_its_libraries() -> None:
    offered = Offered(Docker(image=IMAGE, libraries=frozenset({"libGL.so.1"})))
    assert offered.auto.libraries(target(), listen=ignore) == {"libGL.so.1"}
    offered = Offered(Absent())
    assert offered.auto.libraries(target(), listen=ignore) is None


def test_an_engine_that_does_not(tmp_path: Path) -> None:
    offered = Offered(Absent())
    assert offered.auto.image(target(), listen=ignore) is None
    assert offered.auto.image(target(), listen=ignore) is None
    assert offered.auto.name == "host"
    assert not offered.lays_down(tmp_path)
    assert offered.made == ["docker", "host"]
    assert offered.notices == [
        "building on this machine, not in the Lambda image: no Docker Engine answers\n"
        "  The same wheels give the same bytes; source distributions cannot be built this way."
    ]


def test_an_installation_that_comes_first_decides(tmp_path: Path) -> None:
    offered = Offered(Docker(image=IMAGE))
    assert offered.lays_down(tmp_path)
    assert offered.auto.name == "docker"


def test_a_build_that_comes_first_decides(tmp_path: Path) -> None:
    offered = Offered(Absent())
    made = offered.auto.build(ORDER, provide=lambda requirements: (), folder=tmp_path, listen=ignore)
    assert made.read_bytes() == ONE.data
    assert offered.auto.name == "host"
    assert offered.host.built == [ORDER]


def test_a_transformation_that_comes_first_decides() -> None:
    offered = Offered(Absent())
    assert offered.auto.transformer("compile", target(), listen=ignore) == "fake compile"
    assert offered.auto.name == "host"
    file = Untransformed(room=0, path="var/task/a.py", content=b"A = 1\n")
    with offered.auto.transform(
        Transformation(kind="compile", target=target(), files=[file]), listen=ignore
    ) as outcome:
        assert [made.path for made in outcome.files] == ["var/task/a.py"]
    assert offered.host.transformed == [["var/task/a.py"]]
    assert offered.made == ["docker", "host"]
