"""model.unmet: what an import lacks that only the function's configuration, or the network, can give."""

from __future__ import annotations

import pytest

from lambdabuild.model.unmet import Need, find_unmet_need
from lambdabuild.model.verification import Cause, Failure, Place, Unset

APP, LIBRARY = "/var/task/app.py", "/opt/python/decouple.py"
SETTINGS = "/opt/python/pydantic_settings/main.py"


def raised(kind: str, message: str, *, line: int = 3, file: str = APP, **more: object) -> Failure:
    place = Place(file=file, line=line, function="<module>")
    causes = (Cause(type=f"somewhere.{kind}", message=message, place=place),)
    return Failure(kind="raised", type=kind, message=message, causes=causes, places=(place,), **more)  # type: ignore[arg-type]


def asked(name: str, *, file: str = APP, line: int = 3) -> Unset:
    return Unset(name=name, file=file, line=line)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("RuntimeError", "TABLE must be set"),
        ("UndefinedValueError", "TABLE not found. Declare it as envvar or define a default value."),
        ("EnvError", 'Environment variable "TABLE" not set'),
        ("ImproperlyConfigured", "Set the TABLE environment variable"),
        ("SystemExit", "TABLE is missing"),
        ("KeyError", "\"Config 'TABLE' is missing, and has no default.\""),
    ],
)
def test_a_variable_that_is_named(kind: str, message: str) -> None:
    failure = raised(kind, message, line=9, unset=(asked("TABLE", file=LIBRARY), asked("OTHER")))
    assert find_unmet_need(failure) == Need(text="the environment variable TABLE", variables=("TABLE",))


def test_a_variable_that_nobody_asked_for() -> None:
    assert find_unmet_need(raised("RuntimeError", "TABLE must be set")) is None
    assert find_unmet_need(raised("RuntimeError", "TABLES must be set", line=9, unset=(asked("TABLE"),))) is None


def test_a_variable_that_came_as_none() -> None:
    both = Need(text="the environment variables HOST and PORT", variables=("HOST", "PORT"))
    failure = raised("TypeError", "int() argument must be a string, not 'NoneType'", line=9)
    assert find_unmet_need(failure) is None
    unset = (asked("HOST"), asked("PORT", line=4), asked("HOST", line=5), asked("HOME", file=LIBRARY))
    failure = raised("TypeError", "int() argument must be a string, not 'NoneType'", line=9, unset=unset)
    assert find_unmet_need(failure) == both
    here = raised("AssertionError", "", unset=(asked("STAGE"), asked("OTHER", line=1)))
    assert find_unmet_need(here) == Need(text="the environment variable STAGE", variables=("STAGE",))
    assert find_unmet_need(raised("ValueError", "bad state", unset=(asked("OTHER", line=1),))) is None


def test_settings_of_pydantic() -> None:
    told = "2 validation errors for Settings\ntable_name\n  Field required [type=missing, input_value={}]\nport\n"
    missing = raised("ValidationError", f"{told}  Field required [type=missing]", file=SETTINGS, enumerated=(SETTINGS,))
    assert find_unmet_need(missing) == Need(
        text="the environment variables of Settings (table_name, port)", variables=("TABLE_NAME", "PORT")
    )
    wrong = f"{told}  Input should be a valid integer [type=int_parsing]"
    assert find_unmet_need(raised("ValidationError", wrong, file=SETTINGS, enumerated=(SETTINGS,))) is None
    elsewhere = raised("ValidationError", f"{told}  Field required [type=missing]", enumerated=(SETTINGS,))
    assert find_unmet_need(elsewhere) is None


def test_settings_of_other_libraries() -> None:
    reader = "/opt/python/dynaconf/loaders/env_loader.py"
    validator = "/opt/python/dynaconf/validator.py"
    need = Need(text="an environment variable")
    failure = raised("ValidationError", "TABLE is required in env main", file=validator, enumerated=(reader,))
    assert find_unmet_need(failure) == need
    assert find_unmet_need(raised("ValueError", "no", file=validator, enumerated=(reader,))) is None


@pytest.mark.parametrize("kind", ["ImportError", "ModuleNotFoundError", "SyntaxError", "MemoryError"])
def test_what_no_variable_prevents(kind: str) -> None:
    assert find_unmet_need(raised(kind, "TABLE", unset=(asked("TABLE"),))) is None


@pytest.mark.parametrize(
    "message",
    [
        "<urlopen error [Errno -3] Temporary failure in name resolution>",
        "[Errno 101] Network is unreachable",
        "[Errno 111] Connection refused",
        'could not translate host name "db" to address',
        "Your default credentials were not found.",
        "Error -3 connecting to redis:6379.",
    ],
)
def test_the_network(message: str) -> None:
    assert find_unmet_need(raised("Error", message)) == Need(text="the network, or credentials")
