# SPDX-License-Identifier: Apache-2.0
"""How a backend is called: monitored while it works, and fenced off once it has timed out."""
