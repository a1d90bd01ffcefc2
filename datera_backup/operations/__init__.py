# SPDX-License-Identifier: Apache-2.0
"""The driver's operations, one a module, each from its first step to its clean-up."""
