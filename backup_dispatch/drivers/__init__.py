# SPDX-License-Identifier: Apache-2.0
"""Knowledge of the drivers behind the dispatcher: what they store, and what they refuse."""
