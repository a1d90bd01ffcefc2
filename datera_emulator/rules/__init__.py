# SPDX-License-Identifier: Apache-2.0
"""What a request may change and create: checked first, done once all checks have passed."""
