# SPDX-License-Identifier: Apache-2.0
"""What can be found out about each of Cinder's own drivers without changing anything."""
