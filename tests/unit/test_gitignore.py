"""model.gitignore: plain patterns match what pathspec's expressions match, which they stand in for."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from lambdabuild.model.gitignore import anchor, find_plain_regex, with_plain_sets
from lambdabuild.model.patterns import DISTRIBUTION_RULES, METADATA_RULES, SOURCE_RULES, TEST_RULES

NAMES = st.text(st.sampled_from("ab.-_*A1"), min_size=1, max_size=5)
PATTERNS = st.builds(
    lambda names, begin, end: begin + "/".join(names) + end,
    st.lists(NAMES, min_size=1, max_size=4),
    st.sampled_from(["", "/"]),
    st.sampled_from(["", "/"]),
)
PATHS = st.text(st.sampled_from("ab.-_/A1*\n"), max_size=12)


def spec_regex(anchored: str) -> re.Pattern[str]:
    regex, _ = GitIgnoreSpecPattern.pattern_to_regex(anchored)
    assert regex is not None
    return re.compile(with_plain_sets(regex))


@given(PATTERNS, PATHS, st.sampled_from(["", "a", "a.b", "a/b", "\n"]))
@example("*", "", "")
@example("a*/", "a/", "")
@example("a", "a\n", "")
def test_plain_patterns_match_as_all_others_do(pattern: str, path: str, star: str) -> None:
    _, anchored = anchor(pattern)
    plain = find_plain_regex(anchored)
    if plain is None:
        assert "**" in anchored or "//" in anchored
        return
    near = anchored.strip("/").replace("*", star)
    for each in (path, near, f"{near}/", f"{near}/a", f"a/{near}", f"{near}a", near[:-1]):
        assert bool(re.fullmatch(plain, each)) == bool(spec_regex(anchored).fullmatch(each)), each


@pytest.mark.parametrize("pattern", ["a?", "[ab]", "a**b", "**/a/b", "a/**/b", r"a\*", "a b", "é", "a+b", "#a", "a//b"])
def test_whatever_else_has_a_meaning_is_not_plain(pattern: str) -> None:
    assert find_plain_regex(anchor(pattern)[1]) is None


@pytest.mark.parametrize("pattern", [*DISTRIBUTION_RULES, *METADATA_RULES, *TEST_RULES, *SOURCE_RULES])
def test_what_is_built_in_is_plain(pattern: str) -> None:
    assert find_plain_regex(anchor(pattern)[1]) is not None
