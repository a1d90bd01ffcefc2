# SPDX-License-Identifier: Apache-2.0
"""The proxy of Cinder's GCS driver.

Its constructor sets the environment variable ``http_proxy`` of the whole process from
``backup_gcs_proxy_url``: Swift's, S3's and every other client uses it, but its own does not, since
httplib2 uses ``https_proxy`` for Google's HTTPS address, and only if PySocks is installed. So
the option is hidden from the driver, and only its own client gets the proxy.
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
    """Let only the clients of this class's objects use the proxy.

    Creating such an object raises ConfigurationInvalid if the client cannot use a proxy.

    :param own_class: a backend's own copy of the driver's class; its module is modified.
    :param proxy: reads the proxy's URL; with None the client uses the process's environment.
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
            # The client of Google's library, wrapped by the one that adds the credentials.
            connection._http.http.proxy_info = partial(httplib2.proxy_info_from_url, url)
        return connection

    names["discovery"] = SimpleNamespace(build=build)


def _cinders_of(driver_class: type[Any]) -> type[Any] | None:
    for base in driver_class.__mro__:
        if f"{base.__module__}.{base.__qualname__}" == GCS_DRIVER:
            return base
    return None
