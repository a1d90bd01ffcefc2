# SPDX-License-Identifier: Apache-2.0
"""What API versions and product versions disagree on, as one value that is chosen at login."""

from __future__ import annotations

import re
from dataclasses import dataclass

API_VERSIONS = ("2.1", "2.2", "2.3")

Numbers = tuple[int, ...]


@dataclass(frozen=True)
class Dialect:
    """How to speak to this cluster.

    :param pages: lists come in pages, and a list can be asked for from an offset.
    :param total_counts_filter: the total of a filtered list counts what the filter leaves.
    :param initiator_force: an initiator may be made in a tenant whose parent already has it.
    :param placement_policies: placement is a reference to a policy, not a mode.
    :param template_override: sizes may be given where an instance is made from a template.
    :param ecosystem_data: metadata are ``int_ecosystem_data``, whatever the API version.
    """

    api_version: str
    product_version: str
    pages: bool
    total_counts_filter: bool
    initiator_force: bool
    placement_policies: bool
    template_override: bool
    ecosystem_data: bool


def numbers_of(version: str) -> Numbers:
    """Return a version's leading numbers; of ``3.3.0.0-x`` and ``3.3.0.0.b12`` those of 3.3.0.0.

    A text without any is ``(0,)``: older than everything.
    """
    match = re.match(r"\d+(?:\.\d+)*", version.strip())
    return tuple(int(part) for part in match.group().split(".")) if match else (0,)


def dialect_for(api_version: str, product_version: str) -> Dialect:
    """Choose by the configured API version and the product version that the cluster reports."""
    api = numbers_of(api_version.lstrip("v"))
    recent = numbers_of(product_version) >= (3, 3)
    paged = api >= (2, 2)
    return Dialect(
        api_version="v" + api_version.lstrip("v"),
        product_version=product_version,
        pages=paged,
        total_counts_filter=recent,
        initiator_force=paged,
        placement_policies=paged and recent,
        template_override=paged and recent,
        ecosystem_data=recent,
    )
