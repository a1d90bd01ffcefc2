# SPDX-License-Identifier: Apache-2.0
"""Manual pages, in the macros of man(7)."""

from __future__ import annotations

from collections.abc import Iterator

from backup_dispatch.command.main import CLOSED
from backup_dispatch.command.outcome import CANCELLED, DONE, NO, NOT_KNOWN, UNUSABLE
from deploy.commands import Argument, Command, Option

DISPATCHER = "backup-dispatch"
SECTIONS = {DISPATCHER: 8, "datera-backup": 8, "datera-emulator": 1}
"""Of the manual: 8 is for what administrators run."""

UNSHOWN = {
    "--version": "print the version",
    "--quiet": "print errors only",
    "--log-file": "write messages to this file too",
}
"""Options of the program that its short help leaves out."""

EXIT_STATUS = {
    DONE: "Yes: all is as it should be.",
    NO: "No: a backend is down, a backup is damaged, something was refused or failed.",
    UNUSABLE: "The command line or the configuration cannot be used; nothing was done.",
    NOT_KNOWN: "Not known: something could not be found out; the messages say what and why.",
    CANCELLED: "Cancelled; nothing is left attached.",
    CLOSED: "The reader of the output has closed it.",
}
FILES = {
    "/etc/cinder/cinder.conf": "The configuration of cinder-backup, unless --config-file names "
    "another one.",
}


def manual_pages(programs: tuple[Command, ...]) -> dict[str, str]:
    """Return the pages by their files' names.

    There is one of each program, and of each of the dispatcher's commands.
    """
    pages = {}
    for program in programs:
        section = SECTIONS[program.words[0]]
        apart = program.words[0] == DISPATCHER
        for command in program.all():
            if len(command.words) == 1 or apart:
                name = "-".join(command.words)
                pages[f"{name}.{section}"] = "\n".join(_page(command, name, section, apart)) + "\n"
    return pages


def _page(command: Command, name: str, section: int, apart: bool) -> Iterator[str]:
    program = command.words[0]
    yield f'.TH {_roff(name).upper()} {section} "" "{DISPATCHER}" "{DISPATCHER}"'
    yield ".SH NAME"
    yield f"{_roff(name)} \\- {_roff(_lower(command.summary))}"
    yield ".SH SYNOPSIS"
    yield from _synopsis(command)
    yield ".SH DESCRIPTION"
    yield from _paragraphs(command.text)
    yield from _options(command)
    if command.commands and apart:
        yield ".SH COMMANDS"
        for one in command.commands:
            yield from _tagged(f"\\fB{_roff(one.words[-1])}\\fR", one.summary + ".")
    elif command.commands:
        yield ".SH COMMANDS"
        for one in list(command.all())[1:]:
            if not one.commands:
                yield f".SS {_roff(' '.join(one.words[1:]))}"
                yield from _synopsis(one)
                yield ".PP"
                yield from _paragraphs(one.text)
                yield from _options(one, heading=False)
    if program == DISPATCHER:
        yield ".SH EXIT STATUS"
        for code, text in EXIT_STATUS.items():
            yield from _tagged(str(code), text)
        yield ".SH FILES"
        for path, text in FILES.items():
            yield from _tagged(f"\\fI{_roff(path)}\\fR", text)
    yield ".SH SEE ALSO"
    yield from _see_also(command, section, apart)


def _see_also(command: Command, section: int, apart: bool) -> Iterator[str]:
    if not apart:
        others = [f"{DISPATCHER}({SECTIONS[DISPATCHER]})"]
    elif len(command.words) > 1:
        others = [f"{command.words[0]}({section})"]
    else:
        others = [f"{'-'.join(one.words)}({section})" for one in command.commands]
    for number, one in enumerate(others, 1):
        name, _, rest = one.partition("(")
        yield f".BR {_roff(name)} ({rest}{',' if number < len(others) else ''}"


def _synopsis(command: Command) -> Iterator[str]:
    if command.usage:
        for number, line in enumerate(command.usage):
            if number:
                yield ".br"
            yield _roff(line)
        return
    words = [f"\\fB{_roff(' '.join(command.words))}\\fR"]
    if any(_is_shown(one) for one in command.options):
        words.append("[\\fIoption\\fR ...]")
    words += [_argument(one) for one in command.arguments]
    if command.commands:
        words.append("\\fIcommand\\fR [\\fIargument\\fR ...]")
    yield " ".join(words)


def _argument(one: Argument) -> str:
    text = f"\\fI{_roff(one.name)}\\fR"
    return text if one.required else f"[{text}]"


def _options(command: Command, heading: bool = True) -> Iterator[str]:
    arguments = [one for one in command.arguments if one.text or one.choices]
    options = [one for one in command.options if _is_shown(one)]
    if heading and (arguments or options or command.closing):
        yield ".SH OPTIONS"
    for argument in arguments:
        name = f"\\fI{_roff(argument.name)}\\fR"
        yield from _tagged(name, _with_choices(argument.text, argument.choices))
    for option in options:
        value = f" \\fI{_roff(option.value)}\\fR" if option.value else ""
        flags = ", ".join(f"\\fB{_roff(flag)}\\fR{value}" for flag in option.flags)
        yield from _tagged(flags, _with_choices(_told(option), option.choices))
    if command.closing:
        yield ".PP"
        yield from _paragraphs(command.closing)


def _told(option: Option) -> str:
    return option.text or UNSHOWN.get(option.flags[-1], "")


def _is_shown(option: Option) -> bool:
    return bool(
        _told(option) or (option.choices and option.value not in ("FORMATTER", "QUOTE-MODE"))
    )


def _with_choices(text: str, choices: tuple[str, ...]) -> str:
    if not choices:
        return text or "required"
    allowed = f"one of {', '.join(choices)}"
    return f"{text}; {allowed}" if text else allowed


def _tagged(tag: str, text: str) -> Iterator[str]:
    yield ".TP"
    yield tag
    yield _roff(" ".join(text.split()))


def _paragraphs(text: str) -> Iterator[str]:
    for number, paragraph in enumerate(text.split("\n\n")):
        if number:
            yield ".PP"
        yield _roff(" ".join(paragraph.split()))


def _lower(text: str) -> str:
    return f"{text[:1].lower()}{text[1:]}"


def _roff(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    # At the start of a line these two would be taken for a macro.
    return f"\\&{escaped}" if escaped[:1] in (".", "'") else escaped
