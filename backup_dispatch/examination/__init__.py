# SPDX-License-Identifier: Apache-2.0
"""Read-only checks of the service and its backends."""
