"""What is removed beside what follows, waited for."""

from __future__ import annotations

import threading


def wait_for_removals() -> None:
    """Until the threads that remove containers and folders have ended."""
    for thread in threading.enumerate():
        if thread.name.startswith("remove "):
            thread.join()
