# SPDX-License-Identifier: Apache-2.0
"""What stands where in a container, as bytes and back: no device, no state."""
