"""Lines of gitignore syntax in the one form of which a regular expression of pathspec matches a path, and not what is
below it.

https://git-scm.com/docs/gitignore#_pattern_format
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# What a set of characters looks like in a regular expression of pathspec; the first part is what only looks like one.
_SETS = re.compile(r"\\.|\[(\^?)(\]?[^\]]*)\]", re.DOTALL)
# What in a set may one day mean something else, as Python warns ("possible nested set").
_DOUBTFUL = re.compile(r"[\[\]&~|]|(?<=[^-]-)-")
# An anchored pattern of names in which nothing but a single star has a meaning.
_PLAIN = re.compile(r"/(?:[A-Za-z0-9._*-]+/)*[A-Za-z0-9._*-]+/?")


def split_line(line: str) -> tuple[bool, str]:
    """Whether a line is negated, and its pattern, "" for a comment and what matches nothing.

    Raises ValueError when nothing is negated.
    """
    text = re.sub(r"(?<!\\) +$", "", line)
    if text.startswith("#"):
        return False, ""
    if text == "!":
        raise ValueError("! negates nothing")
    negated = text.startswith("!")
    body = text[negated:]
    return negated, body if body.strip("/") else ""


def anchor(body: str) -> tuple[bool, str]:
    """Whether a pattern is matched with names alone, in whatever folder; and the pattern, anchored with a slash.

    To an anchored pattern pathspec adds nothing of its own, unless it begins or ends with ``**``: hence the rest.
    """
    end = "/" if body.endswith("/") else ""
    body = body.removesuffix("/")
    of_name = "/" not in body
    body = body.removeprefix("/")
    if body == "**" or body.endswith("/**"):
        body += "/*"  # everything in the folder, not the folder
    while body.startswith("**/**/"):
        body = body.removeprefix("**/")
    if body.startswith("**/") and "/" not in body[3:]:
        of_name, body = True, body[3:]
    return of_name, f"/{body}{end}"


def each_way(body: str) -> Iterator[str]:
    """Patterns of the folders through which a path leads that the pattern matches."""
    of_name, anchored = anchor(body)
    segments = ["**"] if of_name else anchored.strip("/").split("/")
    for number, segment in enumerate(segments):
        way = "/".join(("", *segments[:number], ""))
        if number:
            yield way
        if segment == "**":
            yield f"{way}**/"
            return


def find_plain_regex(anchored: str) -> str | None:
    """What pathspec's expression for an anchored pattern matches as a whole, for one of names and single stars.

    Most patterns are such, and importing pathspec takes longer than all of them. None for any other pattern.
    """
    if not _PLAIN.fullmatch(anchored) or "**" in anchored:
        return None
    names = anchored.strip("/").split("/")
    path = "/".join("[^/]+" if name == "*" else re.escape(name).replace(r"\*", "[^/]*") for name in names)
    return path + ("/" if anchored.endswith("/") else "/?")


def with_plain_sets(regex: str) -> str:
    """The expression with sets in which every character stands for itself, and which match no slash."""
    return _SETS.sub(_plain, regex)


def _plain(match: re.Match[str]) -> str:
    if match[1] is None or match[0] == "[^/]":
        return match[0]
    inside = _DOUBTFUL.sub(r"\\\g<0>", match[2])
    return f"(?!/)[^{inside}]" if match[1] else f"[{inside}]"
