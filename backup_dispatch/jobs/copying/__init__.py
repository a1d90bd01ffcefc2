# SPDX-License-Identifier: Apache-2.0
"""A backup copied to another backend, as a backup of its own.

The copy's record comes first, as ``creating``, counted in its project's quota and owned by the
target: whatever becomes of the process, what it wrote can be found and deleted. Until it is
finished it has no host, so that no service takes it for one of its own operations; a record that
names a backend and no host, and is not available, is a copy that is under way or was abandoned.
"""
