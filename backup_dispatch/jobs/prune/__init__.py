# SPDX-License-Identifier: Apache-2.0
"""Old backups are deleted by a rule; knows no command line."""
