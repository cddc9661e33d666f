"""The path lint: each warning with a control in the image that shows what it warns of, and ``strict``."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import docker
import pytest
from integration.lambda_image import Answer, LambdaImage

from tests.unit.test_pthfiles import namespace
from tests.wheels import wheel

Warned = list[str]
JOIN = (
    "  hint: without __init__.py the parts of a package join (https://peps.python.org/pep-0420/); "
    "or put them into one artifact"
)
PRECEDENCE = (
    "  hint: a function's own files come first, then those of its layers, a later layer's over an earlier one's: "
    "https://docs.aws.amazon.com/lambda/latest/dg/python-layers.html"
)


class Trial:
    """A project with the function ``api`` of the folder ``api`` and the layer ``deps``, built for the image."""

    def __init__(self, project: Path, lambdabuild: Callable, image: LambdaImage) -> None:
        self.project, self._lambdabuild, self.image = project, lambdabuild, image
        self.output = project / "dist" / "lambda"

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.project / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def configure(self, *distributions: Mapping[str, str], top: str = "", code: str = "") -> "Trial":
        """A layer of hand-made distributions (one0, one1 …), with more lines for the tables."""
        (self.project / "wheels").mkdir(exist_ok=True)
        lines = []
        for number, files in enumerate(distributions):
            made = wheel(f"one{number}", files=files)
            (self.project / "wheels" / made.filename).write_bytes(made.data)
            lines.append(f"one{number} @ ./wheels/{made.filename}\n")
        of_layer = ['requirements = "deps.txt"'] if lines else ["requirements = false"]
        tables = [
            '[project]\nname = "trial"\nversion = "1"\n[tool.lambdabuild]\npython = "3.13"',
            top,
            "[tool.lambdabuild.layers.deps]",
            *of_layer,
            code,
            '[tool.lambdabuild.functions.api]\nhandler = "api::app.handler"\nrequirements = false',
        ]
        self.write({"pyproject.toml": "\n".join(tables) + "\n", "deps.txt": "".join(lines)})
        return self

    def build(self, *, code: int = 0) -> Warned:
        """What is said of it, without the progress."""
        cache = {"LAMBDABUILD_CACHE_DIR": str(self.project.with_name("cache"))}  # each test has a one0 of its own
        argv = ("package", "--builder", "docker", "--no-verify")
        done = self._lambdabuild(*argv, cwd=self.project, env=cache, code=code)
        lines: list[str] = done.stderr.splitlines()
        return [line for line in lines if not line.endswith("…")]

    def invoke(self) -> Answer:
        layers = [self.output / "deps.zip"]
        return self.image.invoke(function=self.output / "api.zip", handler="app.handler", event={}, layers=layers)

    def imports(self, *modules: str) -> dict[str, str | None]:
        return self.image.imports(self.output / "api.zip", [self.output / "deps.zip"], modules)

    @property
    def fingerprint(self) -> dict[str, str]:
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in self.output.iterdir()}


def handler(body: str, *imports: str) -> str:
    return "".join(f"import {name}\n" for name in imports) + f"def handler(event, context):\n    return {body}\n"


@pytest.fixture
def trial(
    tmp_path: Path, lambdabuild: Callable, docker_client: docker.DockerClient, image_for: Callable[[str], str]
) -> Trial:
    made = Trial(tmp_path / "trial", lambdabuild, LambdaImage(docker_client, image_for("3.13")))
    made.write({"api/app.py": handler("'ok'")})
    return made


def test_a_healthy_project(trial: Trial) -> None:
    files = {"one0/__init__.py": "", "one0/tests/__init__.py": "", "one0.pth": "one0\n"}
    assert trial.configure(files, {"one1.py": ""}).build() == []
    assert (trial.invoke().payload, trial.imports("one0", "one1")) == ("ok", {"one0": None, "one1": None})


def test_a_pth_file_that_points_outside(trial: Trial) -> None:
    trial.configure({"one0.pth": "# two places\n/srv/one/src\n../one\n", "one0.py": ""})
    assert trial.build() == [
        "warning: deps.zip: one0.pth of one0 1.0 adds to the import path what is outside of the artifact: "
        "/srv/one/src (line 2), ../one (line 3)",
        "  hint: package what it points to, as a dependency or as code, and leave the file out: "
        'exclude = ["/one0.pth"]',
    ]


def test_an_editable_install(trial: Trial) -> None:
    trial.configure({"__editable__.one0-1.0.pth": "/home/me/one/src\n"}, {"one1.py": ""})
    assert trial.build() == [
        "warning: deps.zip: __editable__.one0-1.0.pth of one0 1.0 is of an editable install, and the code is not in "
        "the artifact: /home/me/one/src (line 1)",
        "  hint: install the distribution itself, not an editable one (no -e), or leave the file out: "
        'exclude = ["/__editable__.one0-1.0.pth"]',
    ]
    assert trial.imports("one0", "one1") == {"one0": "ModuleNotFoundError: No module named 'one0'", "one1": None}


def test_a_hook_that_runs_at_every_init(trial: Trial) -> None:
    trial.write({"api/app.py": handler("sys.hooked", "sys")})
    trial.configure({"hook.pth": "import one0; one0.go()\n", "one0.py": "import sys\ndef go(): sys.hooked = 'yes'\n"})
    assert trial.build() == [
        "warning: deps.zip: hook.pth of one0 1.0 runs code whenever a function starts: import one0; one0.go() (line 1)",
        "  hint: Lambda's runtime runs the .pth files of a function and its layers; if this one is not wanted: "
        'exclude = ["/hook.pth"]',
    ]
    assert trial.invoke().payload == "yes"


def test_top_level_tests(trial: Trial) -> None:
    files = {"one0.py": "", "tests/__init__.py": "", "tests/test_one.py": "", "examples/a.py": ""}
    trial.configure(files, top='tests = "keep"')
    assert trial.build() == [
        "warning: deps.zip: one0 1.0 puts names at the top of the import path that hardly are its own: "
        "examples/, tests/",
        '  hint: where nothing imports them: exclude = ["/examples/", "/tests/"]',
    ]
    assert trial.imports("tests.test_one", "examples.a") == {"tests.test_one": None, "examples.a": None}


def test_a_module_of_the_standard_librarys_name(trial: Trial) -> None:
    trial.write({"api/app.py": handler("one0.mean([1, 3])", "one0")})
    trial.configure({"one0.py": "from statistics import mean\n"})
    assert trial.build() == []
    assert trial.invoke().payload == 2
    trial.write({"api/statistics.py": "LIST = []\n"})
    assert trial.build() == [
        "warning: api.zip: modules of the sources have names of the standard library's, and of each name only one can "
        "be imported: statistics.py",
        "  hint: rename them; /var/task and /opt come before the standard library on Lambda's import path",
    ]
    assert trial.invoke().error == (
        "Runtime.ImportModuleError: Unable to import module 'app': "
        "cannot import name 'mean' from 'statistics' (/var/task/statistics.py)"
    )


def test_modules_in_function_and_layer(trial: Trial) -> None:
    trial.write({"api/app.py": handler("[shared.WHOSE, same.WHOSE]", "shared", "same")})
    trial.write({"api/shared.py": "WHOSE = 'api'\n", "shared.py": "WHOSE = 'deps'\n"})
    trial.write(dict.fromkeys(("api/same.py", "same.py"), "WHOSE = 'both'\n"))
    trial.configure(code='code = ["shared.py", "same.py"]')
    assert trial.build() == [
        "warning: api.zip: modules of api.zip hide different ones of the same name in deps.zip: shared.py",
        PRECEDENCE,
        "warning: api.zip: modules of api.zip are in deps.zip as well, 15 bytes: same.py",
        "  hint: exclude them from one of the two",
    ]
    assert trial.invoke().payload == ["api", "both"]


def test_a_package_in_function_and_layer(trial: Trial) -> None:
    files = {"shop/shared/a.py": "A = 1\n", "api/shop/__init__.py": "", "api/shop/b.py": "B = 2\n"}
    trial.write({**files, "api/app.py": handler("[shop.shared.a.A, shop.b.B]", "shop.shared.a", "shop.b")})
    trial.configure(code='code = ["shop"]')
    assert trial.build() == [
        "warning: api.zip: shop/__init__.py hides modules of deps.zip: shop/shared/a.py",
        JOIN,
    ]
    assert trial.invoke().error == (
        "Runtime.ImportModuleError: Unable to import module 'app': No module named 'shop.shared'"
    )
    (trial.project / "api" / "shop" / "__init__.py").unlink()
    assert trial.build() == []
    assert trial.invoke().payload == [1, 2]


def test_a_namespace_that_a_pth_file_makes(trial: Trial) -> None:
    trial.write({"api/shop/b.py": "B = 2\n", "api/app.py": handler("shop.b.B", "shop.b")})
    files = {"shop/a.py": "A = 1\n"}
    trial.configure({**files, "one0-1.0-nspkg.pth": namespace("shop") + "\n"})
    assert trial.build() == [
        "warning: api.zip: one0-1.0-nspkg.pth of deps.zip hides modules of api.zip: shop/b.py",
        "  hint: without that file the parts of a package join (https://peps.python.org/pep-0420/): "
        'exclude = ["/one0-1.0-nspkg.pth"]',
    ]
    assert trial.invoke().error == "Runtime.ImportModuleError: Unable to import module 'app': No module named 'shop.b'"
    trial.configure({**files, "one0-1.0-nspkg.pth": namespace("shop") + "\n"}, top='exclude = ["/one0-1.0-nspkg.pth"]')
    assert trial.build() == []
    assert (trial.invoke().payload, trial.imports("shop.a")) == (2, {"shop.a": None})


def test_names_that_differ_in_case(trial: Trial) -> None:
    trial.write({"api/Tax.py": "RATE = 1\n", "api/tax.py": "RATE = 2\n"})
    trial.write({"api/app.py": handler("[Tax.RATE, tax.RATE]", "Tax", "tax")})
    trial.configure({"one0.py": ""})
    assert trial.build() == [
        "warning: api.zip: names that are one where a disk ignores case or how accents are composed: Tax.py and tax.py",
        "  hint: rename all but one of them: Lambda tells them apart, macOS and Windows do not",
    ]
    assert trial.invoke().payload == [1, 2]


def test_strict(trial: Trial) -> None:
    files = {"one0.pth": "/srv/one\n", "one0.py": "", "samples/a.py": ""}
    warned = trial.configure(files).build()
    before = trial.fingerprint
    assert {line.partition(":")[0] for line in warned} == {"warning", "  hint"}
    trial.write({"api/app.py": handler("'changed'")})
    assert trial.configure(files, top="strict = true").build(code=3) == [
        "error: deps.zip: one0.pth of one0 1.0 adds to the import path what is outside of the artifact: "
        "/srv/one (line 1)",
        "deps.zip: one0 1.0 puts names at the top of the import path that hardly are its own: samples/",
        "  hint: package what it points to, as a dependency or as code, and leave the file out: "
        'exclude = ["/one0.pth"]',
        '        where nothing imports them: exclude = ["/samples/"]',
    ]
    assert trial.fingerprint == before
    trial.configure(files, top='strict = true\nexclude = ["/one0.pth", "/samples/"]')
    assert trial.build() == []
    assert trial.fingerprint != before
    assert trial.invoke().payload == "changed"
