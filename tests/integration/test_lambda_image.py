"""The runner's own controls: on the real image, what must fail does fail, and for the reason it should."""

import stat
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import docker
import pytest
from docker.errors import NotFound
from docker.models.containers import Container
from integration import lambda_image
from integration.lambda_image import LambdaImage, SandboxError, shaped_like

pytestmark = pytest.mark.engine

ECHO = """
import greeting

def handler(event, context):
    return {"said": greeting.WORD, "event": event}
"""

LOOK_AROUND = """
import os, pathlib, socket

def refused(action):
    try:
        action()
    except OSError as error:
        return type(error).__name__
    return None

def handler(event, context):
    status = pathlib.Path("/proc/self/status").read_text().splitlines()
    return {
        "user": [os.getuid(), os.getgid()],
        "capabilities": [line.split()[1] for line in status if line.startswith("CapEff")],
        "no_new_privileges": [line.split()[1] for line in status if line.startswith("NoNewPrivs")],
        "network": refused(lambda: socket.create_connection(("192.0.2.1", 80), timeout=5)),
        "write": {place: refused(pathlib.Path(place, "x").touch) for place in ("/", "/var/task", "/opt", "/tmp")},
        "variable": os.environ.get("GIVEN"),
    }
"""

Zipped = Callable[..., Path]


@pytest.fixture(scope="module")
def image(docker_client: docker.DockerClient, image_for: Callable[[str], str]) -> LambdaImage:
    return LambdaImage(docker_client, image_for("3.13"))


@pytest.fixture
def zipped(tmp_path: Path) -> Zipped:
    """Make a zip: ``zipped("layer", {"python/a.py": "A = 1"}, mode=0o644)``."""

    def make(name: str, files: Mapping[str, str], *, mode: int = 0o644) -> Path:
        path = tmp_path / f"{name}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for member, text in files.items():
                info = zipfile.ZipInfo(member)
                info.external_attr = (stat.S_IFREG | mode) << 16
                archive.writestr(info, text)
        return path

    return make


@pytest.fixture(autouse=True)
def _nothing_is_left_behind(docker_client: docker.DockerClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    names: list[str] = []
    make_name = lambda_image._unique_name

    def unique_name() -> str:
        names.append(make_name())
        return names[-1]

    monkeypatch.setattr(lambda_image, "_unique_name", unique_name)
    yield
    left = []
    for name in names:
        for collection in (docker_client.containers, docker_client.volumes):
            with suppress(NotFound):
                left.append(collection.get(name))
    assert not left


def test_a_function_with_its_layer_answers(image: LambdaImage, zipped: Zipped) -> None:
    answer = image.invoke(
        function=zipped("function", {"app.py": ECHO}),
        layers=[zipped("layer", {"python/greeting.py": "print('loaded'); WORD = 'hello'"})],
        handler="app.handler",
        event={"text": "größer " * 40_000},
    )
    assert (answer.error, answer.status) == (None, 200)
    assert answer.payload == {"said": "hello", "event": {"text": "größer " * 40_000}}
    assert "loaded" in answer.log


def test_a_missing_layer_is_an_import_error(image: LambdaImage, zipped: Zipped) -> None:
    answer = image.invoke(function=zipped("function", {"app.py": ECHO}), handler="app.handler", event={})
    assert answer.error is not None
    assert answer.error.startswith("Runtime.ImportModuleError: Unable to import module 'app'")
    assert "No module named 'greeting'" in answer.error


@pytest.mark.parametrize("closed", ["function", "layer"])
def test_a_member_that_only_its_owner_may_read_fails(image: LambdaImage, zipped: Zipped, closed: str) -> None:
    modes = {"function": 0o644, "layer": 0o644} | {closed: 0o600}
    answer = image.invoke(
        function=zipped("function", {"app.py": ECHO}, mode=modes["function"]),
        layers=[zipped("layer", {"python/greeting.py": "WORD = 'hello'"}, mode=modes["layer"])],
        handler="app.handler",
        event={},
    )
    assert answer.error is not None
    assert "Permission denied" in answer.error


def test_a_handler_that_raises_gives_its_error(image: LambdaImage, zipped: Zipped) -> None:
    source = "def handler(event, context):\n    raise LookupError('no such ' + event)\n"
    answer = image.invoke(function=zipped("function", {"app.py": source}), handler="app.handler", event="order")
    assert answer.error == "LookupError: no such order"
    assert "Traceback" in answer.log or "stackTrace" in answer.payload


def test_a_later_layer_overwrites_an_earlier_one(image: LambdaImage, zipped: Zipped) -> None:
    function = zipped("function", {"app.py": ECHO})
    one = zipped("one", {"python/greeting.py": "WORD = 'one'", "python/only.py": ""})
    two = zipped("two", {"python/greeting.py": "WORD = 'two'"})
    for layers, word in (([one, two], "two"), ([two, one], "one")):
        answer = image.invoke(function=function, layers=layers, handler="app.handler", event=None)
        assert answer.payload == {"said": word, "event": None}


def test_layers_unpacked_once_serve_many_calls(image: LambdaImage, zipped: Zipped) -> None:
    function = zipped("function", {"app.py": ECHO})
    with image.layered([zipped("layer", {"python/greeting.py": "WORD = 'hello'"})]) as layered:
        for event in (1, 2):
            answer = layered.invoke(function=function, handler="app.handler", event=event)
            assert answer.payload == {"said": "hello", "event": event}
        assert layered.imports(None, [], ["greeting"]) == {"greeting": None}


def test_the_sandbox_is_as_strict_as_the_service(image: LambdaImage, zipped: Zipped) -> None:
    function = zipped("function", {"app.py": LOOK_AROUND})
    answer = image.invoke(function=function, handler="app.handler", event={}, env={"GIVEN": "yes"})
    assert answer.payload == {
        "user": [993, 990],
        "capabilities": ["0000000000000000"],
        "no_new_privileges": ["1"],
        "network": "OSError",
        "write": {"/": "OSError", "/var/task": "OSError", "/opt": "OSError", "/tmp": None},
        "variable": "yes",
    }


def test_a_function_that_takes_too_long_is_given_up(image: LambdaImage, zipped: Zipped) -> None:
    source = "import time\ndef handler(event, context):\n    print('asleep', flush=True)\n    time.sleep(60)\n"
    function = zipped("function", {"app.py": source})
    with pytest.raises(TimeoutError, match=r"(?s)did not answer within 2 s.*asleep"):
        image.invoke(function=function, handler="app.handler", event={}, timeout=2)


def test_a_runtime_that_does_not_serve_is_no_function_error(image: LambdaImage, zipped: Zipped) -> None:
    function = zipped("function", {"app.py": ECHO})
    with pytest.raises(SandboxError):
        image.invoke(function=function, handler="app.handler", event={}, env={"AWS_LAMBDA_RUNTIME_API": "localhost:1"})


def test_an_interrupt_leaves_nothing(image: LambdaImage, zipped: Zipped, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    function = zipped("function", {"app.py": ECHO})
    for method in ("exec_run", "start", "put_archive"):
        monkeypatch.setattr(Container, method, interrupt)
        with pytest.raises(KeyboardInterrupt):
            image.invoke(function=function, layers=[function], handler="app.handler", event={})


def test_imports_tell_what_is_wrong_with_each_module(image: LambdaImage, zipped: Zipped) -> None:
    function = zipped(
        "function",
        {
            "good.py": "import layered, sys; print('noise'); assert sys.path[0] == '/var/task'",
            "crash.py": "import os; os.abort()",
            "leave.py": "raise SystemExit('enough')",
            "broken.py": "def",
            "first.py": "import builtins; builtins.left_by_first = 1",
            "second.py": "left_by_first",
        },
    )
    layer = zipped("layer", {"python/layered.py": "", "python/boto3.py": "raise ImportError('of the layer')"})
    answers = image.imports(
        function, [layer], ["good", "crash", "leave", "broken", "first", "second", "boto3", "missing", "json"]
    )
    assert answers == {
        "good": None,
        "crash": "the interpreter died (-6)",
        "leave": "SystemExit: enough",
        "broken": "SyntaxError: invalid syntax",
        "first": None,
        "second": "NameError: name 'left_by_first' is not defined",
        "boto3": "ImportError: of the layer",
        "missing": "ModuleNotFoundError: No module named 'missing'",
        "json": None,
    }


def test_imports_that_take_too_long_are_given_up(image: LambdaImage, zipped: Zipped) -> None:
    function = zipped("function", {"slow.py": "import time; time.sleep(60)"})
    with pytest.raises(TimeoutError, match="the imports took more than 1 s"):
        image.imports(function, [], ["slow"], timeout=1)


def test_a_member_that_leads_out_of_the_archive_is_refused(image: LambdaImage, zipped: Zipped) -> None:
    with pytest.raises(ValueError, match="leads out of the archive"):
        image.imports(zipped("function", {"../evil.py": ""}), [], ["evil"])


def test_the_shape_of_what_is_expected() -> None:
    payload = {"statusCode": 200, "headers": {}, "body": '{"rows": [1, 2], "time": "now"}'}
    expected = {"statusCode": 200, "body": {"rows": [1, 2]}}
    assert shaped_like(expected, payload) == expected
    assert shaped_like({"gone": 1}, payload) == {}
    assert shaped_like([1], [1, 2]) == [1, 2]
