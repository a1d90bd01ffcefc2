# SPDX-License-Identifier: Apache-2.0
"""The program behind `demo.day_two.command`: ``backup-dispatch`` beside the demo's Cinder.

It is ``backup-dispatch`` itself, but that its messages reach the services of the demo, see
`demo.servers.bus`. It is run by ``python -m datera_emulator.with_connector``, so that it can attach
the emulator's volumes.
"""

import os
import sys
from pathlib import Path

# Before anything imports eventlet, as the command itself does.
os.environ["EVENTLET_THREADPOOL_SIZE"] = "0"
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from backup_dispatch.command.main import main
from demo.servers import bus

if __name__ == "__main__":
    bus.send_from_here()
    sys.exit(main())
