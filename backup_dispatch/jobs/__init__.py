# SPDX-License-Identifier: Apache-2.0
"""What is done with backups after they were made; knows no command line."""
