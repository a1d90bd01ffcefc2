# SPDX-License-Identifier: Apache-2.0
"""Every option, from its definition: type, bounds, default, section, and since when."""

from __future__ import annotations

from typing import Any

from oslo_config import cfg

from backup_dispatch import opts as dispatcher
from backup_dispatch.backends import sections
from backup_dispatch.jobs.prune import policies
from datera_backup import opts as datera_backup
from datera_volume import opts as datera_volume
from reference.markdown import marked
from reference.since import since

CHAPTERS: tuple[tuple[str, str, list[cfg.Opt]], ...] = (
    ("The dispatcher", "In `[DEFAULT]`, for cinder-backup.", dispatcher.OPTS),
    (
        "A backup backend's own section",
        "In the section that has the name of one of `enabled_backup_backends`, beside all options "
        "of its driver.",
        sections.SECTION_OPTS,
    ),
    (
        "A retention policy's section",
        "In each section that `backup_dispatch_retention` names. See [retention](../retention.md).",
        policies.SECTION_OPTS,
    ),
    (
        "The Datera backup driver",
        "In `[DEFAULT]`, or in the section of one of the dispatcher's backends.",
        datera_backup.OPTS,
    ),
    (
        "The Datera volume driver",
        "In the volume backend's section, or in `[backend_defaults]`. Besides, the driver reads "
        "Cinder's own `san_ip`, `san_login`, `san_password`, `driver_ssl_cert_verify`, "
        "`driver_ssl_cert_path` and others: see [its page](../volume-driver.md#options).",
        datera_volume.OPTS,
    ),
)

_WORDS = {
    "HostAddress": "name or address of a host",
    "Boolean": "true or false",
    "Integer": "whole number",
    "Port": "port",
    "String": "text",
    "List": "list, separated by commas",
    "Dict": "`name:value`, separated by commas",
}


def text() -> str:
    """The chapters, as Markdown."""
    parts = []
    for title, where, options in CHAPTERS:
        parts.append(f"## {title}\n\n{where}\n")
        parts += [_entry(option) for option in options]
    return "\n".join(parts)


def _entry(option: cfg.Opt) -> str:
    words = [_kind(option), f"default: {_default(option)}"]
    if option.required or str(marked(option.help or "")).endswith("Required."):
        words[-1] = "**required**"
    if option.secret:
        words.append("secret: never logged or shown")
    words.append(f"since {since(option.name)}")
    choices = [
        f"- `{value}`: {marked(meaning)}."
        for value, meaning in _choices(option)
        if meaning is not None
    ]
    return "\n".join(
        [
            f"### {option.name}",
            "",
            f"*{'; '.join(words)}*",
            "",
            marked(option.help or ""),
            "",
            *choices,
            "",
        ]
    )


def _choices(option: cfg.Opt) -> list[tuple[Any, str | None]]:
    return list((getattr(option.type, "choices", None) or {}).items())


def _kind(option: cfg.Opt) -> str:
    if choices := _choices(option):
        return "one of " + ", ".join(f"`{value}`" for value, _ in choices)
    kind = type(option.type).__name__
    least, most = (getattr(option.type, name, None) for name in ("min", "max"))
    if kind == "Port":
        return _WORDS[kind]
    if least is not None and most is not None:
        return f"{_WORDS[kind]}, {least} to {most}"
    return f"{_WORDS[kind]}, at least {least}" if least is not None else _WORDS[kind]


def _default(option: cfg.Opt) -> str:
    default = option.sample_default if option.sample_default is not None else option.default
    if default is None or default in ([], {}, ""):
        return "none"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default}`"
