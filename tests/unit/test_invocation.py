"""What the emulator's answers and log come to."""

from __future__ import annotations

import pytest

from lambdabuild.errors import UsageError
from lambdabuild.model.invocation import (
    Call,
    FunctionError,
    Invoked,
    check_event,
    function_log,
    read_answers,
)
from lambdabuild.model.invokedtext import error_text, invoked_document, response_text, times_text

CALL = Call(event="{}", environ={}, timeout=3, memory=128, temporary=512, count=1)
ID = "65e9a084-f9cf-45d3-b08c-bd773603b0d8"
STAMP = "21 Nov 2026 09:42:41,484"


def rapid(text: str, level: str = "INFO") -> str:
    return f"{STAMP} [{level}] (rapid) {text}\n"


INIT = (
    rapid("exec '/var/runtime/bootstrap' (cwd=/var/task, handler=)")
    + rapid("INIT START(type: on-demand, phase: init)")
    + f"START RequestId: {ID} Version: $LATEST\n"
    + "loaded\n"
    + rapid("INIT RTDONE(status: success)")
    + rapid("INIT REPORT(durationMs: 727.319000)")
)


def run(output: str, milliseconds: str) -> str:
    return (
        rapid(f"INVOKE START(requestId: {ID})")
        + output
        + rapid(f"INVOKE RTDONE(status: success, produced bytes: 0, duration: {milliseconds}ms)")
        + f"END RequestId: {ID}\n"
        + f"REPORT RequestId: {ID}\tInit Duration: 0.03 ms\tDuration: 759.11 ms\tBilled Duration: 760 ms\t\n"
    )


def warm(output: str, milliseconds: str) -> str:
    return f"START RequestId: {ID} Version: $LATEST\n" + run(output, milliseconds)


def told(*answers: dict[str, object], oom_kills: int = 0) -> dict[str, object]:
    return {"answers": list(answers), "oom_kills": oom_kills, "exited": None}


def test_an_event_is_json() -> None:
    assert check_event(' {"a": 1}\n', where="event.json") == ' {"a": 1}\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1,\n "b" 2}', "event.json:2:6: the event is not JSON: Expecting ':' delimiter"),
        ("", "event.json:1:1: the event is not JSON: Expecting value"),
        ('{"a": NaN}', "event.json: the event is not JSON: NaN is none of its values"),
    ],
)
def test_what_is_not_json_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_event(text, where="event.json")
    assert str(caught.value) == message


def test_an_answer() -> None:
    answer = {"status": 200, "body": '{"n": 1}', "seconds": 0.8}
    log = INIT + run("hello\n", "29.886000")
    assert read_answers(told(answer), log, CALL) == Invoked(
        response='{"n": 1}',
        error=None,
        log="loaded\nhello\n",
        full_log=log,
        init_seconds=0.727319,
        run_seconds=(0.029886,),
    )


def test_warm_times() -> None:
    answers = [{"status": 200, "body": "1", "seconds": 0.8}] * 5
    log = INIT + run("", "30.0") + warm("", "4.0") + warm("", "1.0") + warm("", "2.0") + warm("", "7.0")
    invoked = read_answers(told(*answers), log, CALL)
    assert invoked.run_seconds == (0.03, 0.004, 0.001, 0.002, 0.007)
    assert times_text(invoked) == "init 727.3 ms, run 30.0 ms, 4 warm: min 1.0 ms, median 3.0 ms, max 7.0 ms"
    assert invoked_document(invoked, name="api", file="api.zip") == {
        "name": "api",
        "path": "api.zip",
        "response": 1,
        "error": None,
        "log": "loaded\n",
        "init_seconds": 0.727319,
        "run_seconds": 0.03,
        "warm": {"count": 4, "min": 0.001, "median": 0.003, "max": 0.007},
    }


def test_an_emulator_that_tells_no_times() -> None:
    answers = [{"status": 200, "body": "1", "seconds": 0.8}, {"status": 200, "body": "1", "seconds": 0.004}]
    invoked = read_answers(told(*answers), "hello\n", CALL)
    assert (invoked.init_seconds, invoked.run_seconds) == (None, (0.8, 0.004))
    assert times_text(invoked) == "run 800.0 ms, 1 warm: min 4.0 ms, median 4.0 ms, max 4.0 ms"


RAISED = (
    '{"errorMessage": "no such order", "errorType": "LookupError", "requestId": "1", "stackTrace": '
    '["  File \\"/var/task/app.py\\", line 6, in handler\\n    raise LookupError(\\"no such order\\")\\n"]}'
)


def test_an_exception() -> None:
    record = '[ERROR] LookupError: no such order\rTraceback (most recent call last):\r  File "/var/task/app.py"\n'
    log = INIT + run("hello\n" + record + "[ERROR] of the function's own\n", "29.9")
    invoked = read_answers(told({"status": 200, "body": RAISED, "seconds": 0.8}), log, CALL)
    trace = ('  File "/var/task/app.py", line 6, in handler\n    raise LookupError("no such order")',)
    error = FunctionError(type="LookupError", message="no such order", trace=trace)
    assert invoked == Invoked(
        response=None,
        error=error,
        log="loaded\nhello\n[ERROR] of the function's own\n",
        full_log=log.replace("\r", "\n"),
        init_seconds=0.727319,
        run_seconds=(0.0299,),
    )
    assert error_text("api.zip", error) == (
        "api.zip: LookupError: no such order\n"
        "Traceback (most recent call last):\n"
        '  File "/var/task/app.py", line 6, in handler\n'
        '    raise LookupError("no such order")'
    )


def test_the_import_system_is_left_out_of_a_trace() -> None:
    body = (
        '{"errorMessage": "1", "errorType": "KeyError", "requestId": "", "stackTrace": ['
        '"  File \\"/var/lang/lib/python3.13/importlib/__init__.py\\", line 88, in import_module\\n    return 1\\n", '
        '"  File \\"<frozen importlib._bootstrap>\\", line 1387, in _gcd_import\\n", '
        '"  File \\"/var/task/app.py\\", line 5, in <module>\\n    raise KeyError(1)\\n"]}'
    )
    invoked = read_answers(told({"status": 502, "body": body, "seconds": 0.1}), rapid("INIT START("), CALL)
    trace = ('  File "/var/task/app.py", line 5, in <module>\n    raise KeyError(1)',)
    assert invoked.error == FunctionError(type="KeyError", message="1", trace=trace, at_init=True)


def test_an_answer_that_looks_like_an_error() -> None:
    answer = {"status": 200, "body": '{"errorType": "mine", "errorMessage": "told"}', "seconds": 0.1}
    invoked = read_answers(told(answer), INIT + run("", "1.0"), CALL)
    assert (invoked.error, invoked.response) == (None, '{"errorType": "mine", "errorMessage": "told"}')


def test_a_failed_init() -> None:
    body = (
        "{\"errorMessage\": \"Unable to import module 'app': No module named 'nothere'\", "
        '"errorType": "Runtime.ImportModuleError", "requestId": "", "stackTrace": []}'
    )
    log = (
        rapid("INIT START(type: on-demand, phase: init)")
        + "[WARNING]\t2026-11-21T09:44:57.193Z\t\tLAMBDA_WARNING: Unhandled exception. The most likely cause is an "
        "issue in the function code.\n"
        "[ERROR] Runtime.ImportModuleError: Unable to import module 'app'\rTraceback (most recent call last):\n"
        + rapid("INIT RTDONE(status: error)")
        + rapid("INIT REPORT(durationMs: 90.000000)")
        + rapid("INIT START(type: on-demand, phase: invoke)")
        + rapid("INIT REPORT(durationMs: 0.082000)")
        + rapid(f"INVOKE START(requestId: {ID})")
    )
    invoked = read_answers(told({"status": 502, "body": body, "seconds": 0.1}), log, CALL)
    error = FunctionError(
        type="Runtime.ImportModuleError",
        message="Unable to import module 'app': No module named 'nothere'",
        at_init=True,
    )
    assert (invoked.error, invoked.log, invoked.init_seconds, invoked.run_seconds) == (error, "", 0.09, ())
    assert error_text("api.zip", error) == (
        "api.zip fails at init: Runtime.ImportModuleError: Unable to import module 'app': No module named 'nothere'"
    )


KILLED = f'{{"errorType":"Runtime.ExitError","errorMessage":"RequestId: {ID} Error: Runtime exited with error: %s"}}'


def test_a_function_that_ends_its_process() -> None:
    answer = {"status": 502, "body": KILLED % "exit status 3", "seconds": 0.9}
    invoked = read_answers(told(answer), INIT + rapid(f"INVOKE START(requestId: {ID})"), CALL)
    assert invoked.error is not None
    assert (
        error_text("api.zip", invoked.error) == "api.zip: Runtime.ExitError: Runtime exited with error: exit status 3"
    )


@pytest.mark.parametrize(
    ("kills", "message"),
    [
        (0, "api.zip fails at init: Runtime.ExitError: Runtime exited with error: signal: killed"),
        (1, "api.zip: out of memory (limit 128 MB)"),
    ],
)
def test_a_runtime_that_dies_at_init(kills: int, message: str) -> None:
    log = (
        rapid("INIT START(type: on-demand, phase: init)")
        + rapid("Process runtime-1 exited: signal: killed", "WARNING")
        + rapid("INIT RTDONE(status: error)")
    )
    answer = {"status": 502, "body": "", "seconds": 0.1}
    invoked = read_answers(told(answer, oom_kills=kills), log, CALL)
    assert invoked.error is not None
    assert (invoked.error.at_init, error_text("api.zip", invoked.error)) == (True, message)


@pytest.mark.parametrize(
    ("memory", "message", "hint"),
    [
        (128, "api.zip: out of memory (limit 128 MB)", "give it more: --memory 256"),
        (None, "api.zip: out of memory (the engine's limit)", "give the Docker Engine more memory"),
    ],
)
def test_a_function_that_takes_too_much_memory(memory: int | None, message: str, hint: str) -> None:
    call = Call(event="{}", environ={}, timeout=None, memory=memory, temporary=512, count=1)
    answer = {"status": 502, "body": KILLED % "signal: killed", "seconds": 0.9}
    log = INIT + rapid(f"INVOKE START(requestId: {ID})")
    invoked = read_answers(told(answer, oom_kills=1), log, call)
    assert invoked.error is not None
    assert (error_text("api.zip", invoked.error), invoked.error.hint) == (message, hint)


@pytest.mark.parametrize(
    ("log", "message", "hint"),
    [
        (
            INIT + rapid(f"INVOKE START(requestId: {ID})"),
            "api.zip: timed out after 3 s, of which init took 0.73 s",
            "give it more: --timeout; the emulator counts the init of a first invocation, Lambda does not",
        ),
        (
            rapid("INIT START(type: on-demand, phase: init)") + rapid("INIT REPORT(durationMs: 3000.0)"),
            "api.zip: timed out after 3 s, in its init phase",
            "give it more: --timeout",
        ),
    ],
)
@pytest.mark.parametrize(
    "answer", [{"status": 200, "body": "Task timed out after 3.00 seconds", "seconds": 3.1}, {"lost": "timeout"}]
)
def test_a_function_that_takes_too_long(answer: dict[str, object], log: str, message: str, hint: str) -> None:
    invoked = read_answers(told(answer), log, CALL)
    assert invoked.error is not None
    assert (error_text("api.zip", invoked.error), invoked.error.hint) == (message, hint)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"status": 504, "body": "", "seconds": 0.1}, "api.zip: the emulator failed: HTTP status 504"),
        (
            {"lost": "ConnectionResetError: [Errno 104]"},
            "api.zip: the emulator failed: no answer: ConnectionResetError: [Errno 104]",
        ),
    ],
)
def test_an_emulator_that_fails(answer: dict[str, object], message: str) -> None:
    invoked = read_answers(told(answer), INIT, CALL)
    assert invoked.error is not None
    assert error_text("api.zip", invoked.error) == message


def test_output_without_an_end_of_line_keeps_its_own() -> None:
    log = f"START RequestId: {ID} Version: $LATEST\nbegun" + rapid("INVOKE RTDONE(...)") + "ended"
    assert function_log(log + f"END RequestId: {ID}\n", None) == "begun\nended\n"


def test_a_response_is_set_out_where_it_is_json() -> None:
    assert response_text('{"größe":[1,2]}') == '{\n  "größe": [\n    1,\n    2\n  ]\n}'
    assert response_text("plain\ntext") == "plain\ntext"
