# SPDX-License-Identifier: Apache-2.0
"""Which release this is: the version of the installed distribution, said in one place."""

from importlib.metadata import version

VERSION = version("backup-dispatch")
