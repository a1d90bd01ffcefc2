# SPDX-License-Identifier: Apache-2.0
"""Completions of the programs' commands, options and values, for three shells."""
