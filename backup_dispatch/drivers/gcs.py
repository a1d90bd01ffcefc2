# SPDX-License-Identifier: Apache-2.0
"""What is to be known of Cinder's GCS driver: where its proxy is set.

Its constructor writes ``backup_gcs_proxy_url`` into the variable ``http_proxy`` of the whole
process, where Swift's, S3's and every other client reads it, and where its own does not: Google's
address begins with https, and httplib2 takes ``https_proxy`` for that, and only where PySocks is
installed. So the option is hidden from the driver, and its own client is given the proxy.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

from backup_dispatch.errors import ConfigurationInvalid

GCS_DRIVER = "cinder.backup.drivers.gcs.GoogleBackupDriver"
PROXY = "backup_gcs_proxy_url"


def is_gcs(driver_class: type[Any]) -> bool:
    """Whether it is Cinder's GCS driver, or a backend's own copy of it."""
    return _cinders_of(driver_class) is not None


def use_own_proxy(own_class: type[Any], proxy: Callable[[], str | None]) -> None:
    """Let the client of each object of this class, and no other, go through the proxy.

    Making such an object raises ConfigurationInvalid where the client cannot take a proxy.

    :param own_class: a backend's own copy of the driver's class; its module is changed.
    :param proxy: reads the proxy's URL; None leaves the client to the process's environment.
    """
    names = cast("Any", _cinders_of(own_class)).__init__.__globals__
    discovery = names["discovery"]

    def build(*arguments: Any, **named: Any) -> Any:
        connection = discovery.build(*arguments, **named)
        url = proxy()
        if url:
            import httplib2  # comes with Google's library, and so with the driver

            if httplib2.socks is None:
                raise ConfigurationInvalid(
                    f"{PROXY} is set, and the client library takes no proxy without PySocks: "
                    "install PySocks, or take the line out."
                )
            # The client of Google's library, within the one that puts the credentials on it.
            connection._http.http.proxy_info = partial(httplib2.proxy_info_from_url, url)
        return connection

    names["discovery"] = SimpleNamespace(build=build)


def _cinders_of(driver_class: type[Any]) -> type[Any] | None:
    for base in driver_class.__mro__:
        if f"{base.__module__}.{base.__qualname__}" == GCS_DRIVER:
            return base
    return None
