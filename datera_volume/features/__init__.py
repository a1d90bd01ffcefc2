# SPDX-License-Identifier: Apache-2.0
"""What Cinder asks of a volume driver, one feature a file: together the driver's base classes."""
