# SPDX-License-Identifier: Apache-2.0
"""What can be found out about the service and its backends without changing anything."""
