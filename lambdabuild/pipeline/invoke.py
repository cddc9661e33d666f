"""Invoking a function that was built, as it was built."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambdabuild.model.events import Event, Listener
from lambdabuild.model.invocation import Call, Invoked, read_answers
from lambdabuild.steps import invoke as step
from lambdabuild.steps.built import Built

if TYPE_CHECKING:
    from lambdabuild.builders.sandbox import Sandboxes


def invoke(built: Built, call: Call, sandboxes: Sandboxes, listen: Listener) -> Invoked:
    """Invoke the function ``call.count`` times, or until it fails.

    Raises MachineError when it cannot be tried; that the function failed is in what is returned.
    """
    sandbox = sandboxes.make(built.target)
    listen(Event(phase="invoke", text=f"running {built.function.file} in the {built.target} image"))
    told, log = step.invoke(
        sandbox,
        built.path(built.function),
        [built.path(layer) for layer in built.layers],
        call,
        name=built.function.name,
        handler=built.function.handler or "",
        unzipped=built.function.unzipped_size,
    )
    return read_answers(told, log, call)
