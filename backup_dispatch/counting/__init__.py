# SPDX-License-Identifier: Apache-2.0
"""What the service counts of its own work, and the file that it writes the counts to."""
