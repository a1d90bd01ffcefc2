# SPDX-License-Identifier: Apache-2.0
"""Clean-up runs backwards, to its end, and tells all."""

import traceback

import pytest

from datera_backup.errors import CleanUpIncomplete
from datera_backup.undo import Undo


class Steps:
    def __init__(self) -> None:
        self.done: list[str] = []

    def good(self, name: str) -> None:
        self.done.append(name)

    def bad(self, name: str) -> None:
        self.done.append(name)
        raise RuntimeError(f"{name} broke")


def test_everything_is_taken_back_last_first() -> None:
    steps = Steps()
    with Undo("test") as undo:
        undo.add("undo a", lambda: steps.good("a"))
        undo.add("undo b", lambda: steps.good("b"))
    assert steps.done == ["b", "a"]


def test_what_was_forgotten_stays() -> None:
    steps = Steps()
    with Undo("test") as undo:
        undo.add("undo a", lambda: steps.good("a"))
        undo.forget()
    assert steps.done == []


def test_failures_do_not_stop_it_and_all_are_told() -> None:
    steps = Steps()
    undo = Undo("Container x")
    undo.add("undo a", lambda: steps.bad("a"))
    undo.add("undo b", lambda: steps.good("b"))
    undo.add("undo c", lambda: steps.bad("c"))
    with pytest.raises(CleanUpIncomplete) as raised, undo:
        pass
    assert steps.done == ["c", "b", "a"]
    text = str(raised.value)
    assert text.startswith("Container x left something behind: could not undo c: c broke; ")
    assert text.endswith("could not undo a: a broke")
    assert isinstance(raised.value.__cause__, RuntimeError)


def fail_with_residue(steps: Steps) -> None:
    with Undo("Container x") as undo:
        undo.add("undo a", lambda: steps.bad("a"))
        try:
            raise KeyError("deep")
        except KeyError as deep:
            raise ValueError("first") from deep


def test_the_first_error_wins_and_keeps_the_others_in_its_chain() -> None:
    steps = Steps()
    with pytest.raises(ValueError, match="first") as raised:
        fail_with_residue(steps)
    assert isinstance(raised.value.__cause__, KeyError)
    text = "".join(traceback.format_exception(raised.value))
    assert "could not undo a: a broke" in text


def test_what_is_settled_is_not_undone_by_a_clean_up_that_fails(
    caplog: pytest.LogCaptureFixture,
) -> None:
    steps = Steps()
    with Undo("Container x") as undo:
        undo.add("undo a", lambda: steps.bad("a"))
        undo.settled()
    assert steps.done == ["a"]
    assert "Container x: could not undo a" in caplog.text


class Ending(BaseException):
    """As eventlet's GreenletExit and Timeout are: no Exception."""


def test_what_ends_a_thread_does_not_stop_it() -> None:
    steps = Steps()

    def end(name: str) -> None:
        steps.good(name)
        raise Ending(name)

    undo = Undo("test")
    undo.add("undo a", lambda: steps.good("a"))
    undo.add("undo b", lambda: end("b"))
    undo.add("undo c", lambda: steps.bad("c"))
    undo.add("undo d", lambda: end("d"))
    with pytest.raises(Ending, match="d"), undo:
        pass
    assert steps.done == ["d", "c", "b", "a"]


def test_what_ends_a_thread_goes_before_an_error_of_the_block() -> None:
    def end() -> None:
        raise Ending

    def fail() -> None:
        with Undo("test") as undo:
            undo.add("undo a", end)
            raise ValueError("first")

    with pytest.raises(Ending) as raised:
        fail()
    assert isinstance(raised.value.__context__, ValueError)


def test_clean_up_happens_for_what_is_no_exception_too() -> None:
    steps = Steps()

    def interrupted() -> None:
        with Undo("test") as undo:
            undo.add("undo a", lambda: steps.good("a"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert steps.done == ["a"]
