# SPDX-License-Identifier: Apache-2.0
"""What is to be known of Cinder's GCS driver: where its proxy is set.

Its constructor writes ``backup_gcs_proxy_url`` into the variable ``http_proxy`` of the whole
process, where Swift's, S3's and every other client reads it, and where its own does not: Google's
address begins with https, and httplib2 takes ``https_proxy`` for that, and only where PySocks is
installed. So the option is hidden from the driver, and its own client is given the proxy.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from backup_dispatch.errors import ConfigurationInvalid

GCS_DRIVER = "cinder.backup.drivers.gcs.GoogleBackupDriver"
PROXY = "backup_gcs_proxy_url"


def is_gcs(driver_class: type[Any]) -> bool:
    """Whether it is Cinder's GCS driver, or a backend's own copy of it."""
    return any(
        f"{base.__module__}.{base.__qualname__}" == GCS_DRIVER for base in driver_class.__mro__
    )


def use_own_proxy(own_class: type[Any], proxy: Callable[[], str | None]) -> None:
    """Let the client of each object of this class, and no other, go through the proxy.

    :param own_class: a backend's own copy of the driver's class; it is changed.
    :param proxy: reads the proxy's URL; None leaves the client to the process's environment.

    Making such an object raises ConfigurationInvalid where the client cannot take a proxy.
    """
    construct = own_class.__init__

    @wraps(construct)
    def __init__(driver: Any, *arguments: Any, **named: Any) -> None:  # noqa: N807
        construct(driver, *arguments, **named)
        url = proxy()
        if url:
            import httplib2  # comes with Google's library, and so with the driver

            if httplib2.socks is None:
                raise ConfigurationInvalid(
                    f"{PROXY} is set, and the client library takes no proxy without PySocks: "
                    "install PySocks, or take the line out."
                )
            # The client of Google's library, within the one that puts the credentials on it.
            driver.conn._http.http.proxy_info = partial(httplib2.proxy_info_from_url, url)

    own_class.__init__ = __init__
