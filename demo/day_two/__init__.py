# SPDX-License-Identifier: Apache-2.0
"""The operator's part of the demo: a second copy, old backups that go, a look into a backup."""
