"""model.handler: is the attribute there? Read, never run."""

from __future__ import annotations

import pytest

from lambdabuild.model.handler import find_attribute, find_handler_problem, find_syntax_problem, split_handler


@pytest.mark.parametrize(
    ("handler", "module", "attribute"),
    [
        ("app.handler", "app", "handler"),
        ("shop.api.main.handler", "shop/api/main", "handler"),
        ("functions/api/main.handler", "functions/api/main", "handler"),
    ],
)
def test_split_handler(handler: str, module: str, attribute: str) -> None:
    assert split_handler(handler) == (module, attribute)


@pytest.mark.parametrize(
    "source",
    [
        "def handler(event, context): ...",
        "async def handler(event, context): ...",
        "class handler: ...",
        "handler = make()",
        "handler: Handler = make()",
        "first = handler = make()",
        "first, (handler, *rest) = make()",
        "import handler",
        "import handler.inner",
        "import other as handler",
        "from other import handler",
        "from other import thing as handler",
        "from other import *",
        "if DEBUG:\n    pass\nelif X:\n    from a import handler\n",
        "if DEBUG:\n    pass\nelse:\n    handler = None\n",
        "try:\n    pass\nexcept ImportError:\n    from a import handler\n",
        "try:\n    pass\nfinally:\n    handler = 1\n",
        "try:\n    pass\nexcept A:\n    pass\nelse:\n    handler = 1\n",
        "with open() as f:\n    handler = load(f)\n",
        "for _ in range(2):\n    def handler(): ...\n",
        "while True:\n    handler = 1\n",
        "handler += 1",
        "match x:\n    case 1:\n        handler = 1\n",
        "with make() as handler:\n    pass\n",
        "with a, b as (c, handler):\n    pass\n",
        "for handler in handlers:\n    break\n",
        "if (handler := make()):\n    pass\n",
        "if TYPE_CHECKING:\n    pass\nelse:\n    handler = 1\n",
        "if not TYPE_CHECKING:\n    handler = 1\n",
        "def __getattr__(name): ...",
        "@decorated\n@twice(1)\ndef handler(): ...",
        "def set_up():\n    global handler\n    handler = make()\nset_up()",
        "match x:\n    case [1, *handler]:\n        pass\n    case {'a': 1} as other:\n        pass\n",
        "match x:\n    case handler:\n        pass\n",
        "globals()['handler'] = make()",
        "setattr(sys.modules[__name__], 'handler', make())",
        "for name in names:\n    exec(name)\n",
    ],
)
def test_every_way_to_define_it(source: str) -> None:
    assert find_handler_problem(source.encode(), "handler") is None


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("", 'it defines no "handler"'),
        ("def lambda_handler(event, context): ...", 'it defines no "handler"; did you mean "lambda_handler"?'),
        ("def Handler(): ...\ndef handle(): ...", 'it defines no "handler"; did you mean "handle"?'),
        ("def outer():\n    def handler(): ...\n", 'it defines no "handler"; its functions are outer'),
        ("class App:\n    handler = 1\n", 'it defines no "handler"'),
        ("print(handler)", 'it defines no "handler"'),
        ("app.handler = 1", 'it defines no "handler"'),
        ("import os.handler", 'it defines no "handler"'),
        ("import handlers", 'it defines no "handler"'),
        ("handlers = []\nHANDLER = 1\n", 'it defines no "handler"'),
        ("for handlers in ():\n    pass\n", 'it defines no "handler"'),
        ("class Handler: ...", 'it defines no "handler"'),
        ("from a import lambda_handler\nimport handlers\n", 'it defines no "handler"; did you mean "lambda_handler"?'),
        ("handle = Mangum(app)\nx = y = 1\n", 'it defines no "handler"; did you mean "handle"?'),
        ("async def handlers(): ...", 'it defines no "handler"; did you mean "handlers"?'),
        (
            "\n".join(f"def {name}(): ..." for name in "gfedcba") + "\ndef _h(): ...\nfrom x import y\n",
            'it defines no "handler"; its functions are _h, a, b, c, d, …',
        ),
        ("handler: Handler", 'it defines no "handler"'),
        ("if TYPE_CHECKING:\n    from other import handler", 'it defines no "handler"'),
        ("all_of = [handler for handler in handlers]", 'it defines no "handler"'),
        ("run = lambda: (handler := 1)", 'it defines no "handler"'),
        ("x = 1\ndef handler(:\n", "line 2: invalid syntax"),
    ],
)
def test_it_is_not_there(source: str, problem: str) -> None:
    assert find_handler_problem(source.encode(), "handler") == problem


@pytest.mark.parametrize("source", [b"", b"x = 1", b"\xef\xbb\xbfx = 1", b"# coding: latin-1\nx = '\xe9'"])
def test_what_python_reads(source: bytes) -> None:
    assert find_syntax_problem(source) is None


def test_what_python_does_not_read() -> None:
    assert find_syntax_problem(b"x = 1\ny =\n") == "line 2: invalid syntax"
    assert find_syntax_problem(b"# coding: nonsense") in ("unknown encoding: nonsense", "encoding problem: nonsense")
    problem = find_syntax_problem(b"x = '\0'")
    assert problem is not None
    assert "null bytes" in problem


@pytest.mark.parametrize(
    ("source", "meant"),
    [
        ("def handler(): ...", "handler"),
        ("from a import *", "handler"),
        ("def lambda_handler(): ...\nhandlers = 1\n", "lambda_handler"),
        ("def main(): ...", "main"),
        ("def main(): ...\ndef other(): ...", None),
        ("", None),
        ("def handler(:", None),
    ],
)
def test_the_attribute_that_a_hint_may_name(source: str, meant: str | None) -> None:
    assert find_attribute(source.encode(), "handler") == meant


def test_expressions_of_any_depth() -> None:
    assert find_handler_problem(b"x = " + b" + ".join([b"1"] * 900) + b"\nhandler = x", "handler") is None
