# SPDX-License-Identifier: Apache-2.0
"""What is known of the drivers behind the dispatcher: what they hold, and what they refuse."""
