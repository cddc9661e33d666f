"""builders.owner: whose a container is, and whether they are no more."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from lambdabuild.builders.owner import Owner, is_no_more, this_run

TELL = "from lambdabuild.builders.owner import this_run\nprint(this_run().text, flush=True)\ninput()\n"


def test_this_run_is_one() -> None:
    assert not is_no_more(this_run().text)
    assert Owner(**json.loads(this_run().text)) == this_run()
    assert this_run().started is not None


def test_another_run_is_one_until_it_ends() -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", TELL], stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        told = process.stdout.readline()
        assert not is_no_more(told)
        process.communicate("\n")
    assert is_no_more(told)


def test_a_process_that_got_the_number_of_another_is_not_it() -> None:
    assert is_no_more(replace(this_run(), started="1").text)


@pytest.mark.parametrize("other", [{"boot": "another"}, {"namespace": "pid:[1]"}])
def test_of_another_machine_or_namespace_nothing_is_known(other: dict[str, str]) -> None:
    assert not is_no_more(replace(this_run(), pid=2**22 + 1, started="1", **other).text)


@pytest.mark.parametrize("text", ["", "[]", '["host", 1, "2"]', "{}", '{"pid": 1}', "null", "7"])
def test_what_others_wrote_tells_nothing(text: str) -> None:
    assert not is_no_more(text)
