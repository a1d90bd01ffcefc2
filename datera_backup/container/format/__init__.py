# SPDX-License-Identifier: Apache-2.0
"""The encoding of a container's records: no device, no state."""
