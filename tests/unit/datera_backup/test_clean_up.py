# SPDX-License-Identifier: Apache-2.0
"""Clean-up runs backwards, to its end, and tells all."""

import traceback

import pytest

from datera_backup.clean_up import CleanUp
from datera_backup.errors import CleanUpIncomplete


class Steps:
    def __init__(self) -> None:
        self.done: list[str] = []

    def good(self, name: str) -> None:
        self.done.append(name)

    def bad(self, name: str) -> None:
        self.done.append(name)
        raise RuntimeError(f"{name} broke")


def test_steps_run_last_first() -> None:
    steps = Steps()
    with CleanUp("test") as clean_up:
        clean_up.add("undo a", lambda: steps.good("a"))
        clean_up.add("undo b", lambda: steps.good("b"))
    assert steps.done == ["b", "a"]


def test_forgotten_steps_do_not_run() -> None:
    steps = Steps()
    with CleanUp("test") as clean_up:
        clean_up.add("undo a", lambda: steps.good("a"))
        clean_up.forget()
    assert steps.done == []


def test_failed_steps_do_not_stop_the_others_and_all_are_reported() -> None:
    steps = Steps()
    clean_up = CleanUp("Container x")
    clean_up.add("undo a", lambda: steps.bad("a"))
    clean_up.add("undo b", lambda: steps.good("b"))
    clean_up.add("undo c", lambda: steps.bad("c"))
    with pytest.raises(CleanUpIncomplete) as raised, clean_up:
        pass
    assert steps.done == ["c", "b", "a"]
    text = str(raised.value)
    assert text.startswith("Container x: clean-up incomplete: could not undo c: c broke; ")
    assert text.endswith("could not undo a: a broke")
    assert isinstance(raised.value.__cause__, RuntimeError)


def fail_with_residue(steps: Steps) -> None:
    with CleanUp("Container x") as clean_up:
        clean_up.add("undo a", lambda: steps.bad("a"))
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


def test_failed_steps_after_settled_are_logged_and_not_raised(
    caplog: pytest.LogCaptureFixture,
) -> None:
    steps = Steps()
    with CleanUp("Container x") as clean_up:
        clean_up.add("undo a", lambda: steps.bad("a"))
        clean_up.settled()
    assert steps.done == ["a"]
    assert "Container x: could not undo a" in caplog.text


class Ending(BaseException):
    """As eventlet's GreenletExit and Timeout are: no Exception."""


def test_thread_ending_exceptions_do_not_stop_the_other_steps() -> None:
    steps = Steps()

    def end(name: str) -> None:
        steps.good(name)
        raise Ending(name)

    clean_up = CleanUp("test")
    clean_up.add("undo a", lambda: steps.good("a"))
    clean_up.add("undo b", lambda: end("b"))
    clean_up.add("undo c", lambda: steps.bad("c"))
    clean_up.add("undo d", lambda: end("d"))
    with pytest.raises(Ending, match="d"), clean_up:
        pass
    assert steps.done == ["d", "c", "b", "a"]


def test_thread_ending_exceptions_replace_the_error_of_the_block() -> None:
    def end() -> None:
        raise Ending

    def fail() -> None:
        with CleanUp("test") as clean_up:
            clean_up.add("undo a", end)
            raise ValueError("first")

    with pytest.raises(Ending) as raised:
        fail()
    assert isinstance(raised.value.__context__, ValueError)


def test_keyboard_interrupts_run_the_steps_too() -> None:
    steps = Steps()

    def interrupted() -> None:
        with CleanUp("test") as clean_up:
            clean_up.add("undo a", lambda: steps.good("a"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert steps.done == ["a"]
