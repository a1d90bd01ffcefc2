# SPDX-License-Identifier: Apache-2.0
"""``python -m datera_emulator`` is the command ``datera-emulator``."""

import sys

from datera_emulator.cli import main

sys.exit(main())
