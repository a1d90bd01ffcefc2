# SPDX-License-Identifier: Apache-2.0
"""The differences between API and product versions, as one value chosen at login."""

from __future__ import annotations

import re
from dataclasses import dataclass

API_VERSIONS = ("2.1", "2.2", "2.3")

Numbers = tuple[int, ...]


@dataclass(frozen=True)
class Dialect:
    """What differs between clusters.

    :param pages: lists are paginated and accept an offset.
    :param total_counts_filter: the total of a filtered list counts only what matches.
    :param initiator_force: an initiator can be created in a tenant whose parent already has it.
    :param placement_policies: placement is a reference to a policy, not a mode.
    :param template_override: the size can be overridden when creating from a template.
    :param online_resize: a volume can be extended while it is online.
    :param ecosystem_data: metadata is kept as ``int_ecosystem_data``, in any API version.
    """

    api_version: str
    product_version: str
    pages: bool
    total_counts_filter: bool
    initiator_force: bool
    placement_policies: bool
    template_override: bool
    online_resize: bool
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
        # Clients from then on resize without switching off; those before had to.
        online_resize=numbers_of(product_version) >= (3, 0),
        ecosystem_data=recent,
    )
