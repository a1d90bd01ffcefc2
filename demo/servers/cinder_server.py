# SPDX-License-Identifier: Apache-2.0
"""A real Cinder: API, scheduler, volume and backup service in one process.

``python demo/servers/cinder_server.py --config-file FILE`` creates the database and serves; the API
listens on a free port of the loopback interface, which the line on standard output contains.
"""

import os
import sys
from pathlib import Path
from typing import Any

# Eventlet's own resolver would query the network's name servers for "localhost".
os.environ["EVENTLET_NO_GREENDNS"] = "yes"
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

SECONDS = 120.0


def _configure(arguments: list[str]) -> Any:
    """Read the configuration as Cinder's commands do and return it."""
    # Importing the commands registers their options and patches the standard library.
    import cinder.cmd.backup
    import cinder.cmd.volume  # noqa: F401
    import os_brick
    from cinder import objects, rpc, version
    from cinder.common import config
    from oslo_config import cfg
    from oslo_log import log

    objects.register_all()
    conf = cfg.CONF
    conf(arguments, project="cinder", version=version.version_string())
    log.set_defaults(default_log_levels=[*log.get_default_log_levels(), "swiftclient=WARN"])
    log.setup(conf, "cinder")
    config.set_middleware_defaults()
    os_brick.setup(conf)
    rpc.init(conf)
    return conf


def _keep_privileged_helpers_here() -> None:
    """Run what Cinder would run through sudo and privsep in this process, as this user."""
    import cinder.privsep
    import os_brick.privileged
    from cinder import utils

    cinder.privsep.sys_admin_pctxt.set_client_mode(False)
    os_brick.privileged.default.set_client_mode(False)
    utils.get_root_helper = lambda: "env"


def _services(conf: Any) -> list[Any]:
    from cinder import service
    from cinder.common import constants
    from oslo_config import cfg

    class Service(service.Service):
        """One of several services in a process.

        Cinder keeps the ID for the heartbeat on the class, where the last one created would win,
        and the others would be considered down after a minute.
        """

        def report_state(self) -> None:
            service.Service.service_id = self.origin_service_id
            super().report_state()

    services = [
        Service.create(
            binary=constants.SCHEDULER_BINARY,
            manager=conf.scheduler_manager,
            topic=constants.SCHEDULER_TOPIC,
        )
    ]
    for backend in conf.enabled_backends:
        conf.register_opt(cfg.StrOpt("backend_host"), group=backend)
        services.append(
            Service.create(
                host=f"{conf.host}@{backend}",
                service_name=backend,
                binary=constants.VOLUME_BINARY,
                topic=constants.VOLUME_TOPIC,
                coordination=True,
                cluster=None,
            )
        )
    services.append(
        Service.create(
            # Without this name the scheduler ignores the service.
            service_name="backup",
            binary=constants.BACKUP_BINARY,
            topic=constants.BACKUP_TOPIC,
            coordination=True,
            process_number=1,
        )
    )
    services.append(service.WSGIService("osapi_volume"))
    return services


def _introduce(scheduler: Any, *others: Any) -> None:
    """Wait until the scheduler has the capabilities of the other services.

    They report once a minute, and requests in the first minute would be refused.
    """
    import eventlet
    from cinder import context

    from demo.waiting import until

    states = scheduler.driver.host_manager
    for manager in others:
        until("the service's driver", manager.is_working, seconds=SECONDS, sleep=eventlet.sleep)
        manager.publish_service_capabilities(context.get_admin_context())
    until(
        "the scheduler",
        lambda: states.service_states and states.backup_service_states,
        seconds=SECONDS,
        sleep=eventlet.sleep,
    )


def _serve(arguments: list[str]) -> None:
    conf = _configure(arguments)
    _keep_privileged_helpers_here()

    import eventlet
    from cinder.db import migration

    from demo.servers import bus
    from demo.servers.processes import say_ready

    migration.db_sync()
    services = _services(conf)
    for service in services:
        service.start()
    _introduce(*(service.manager for service in services if hasattr(service, "topic")))
    eventlet.spawn(bus.serve, Path(conf.state_path), eventlet.sleep)
    say_ready(http_port=services[-1].port)
    eventlet.event.Event().wait()


if __name__ == "__main__":
    from demo.servers.processes import collect_rarely

    collect_rarely()
    _serve(sys.argv[1:])
