# SPDX-License-Identifier: Apache-2.0
"""The reference, generated from what defines options, commands, errors and properties.

A page under ``docs/reference`` has an introduction, and a comment that says what follows it:
``<!-- generated: options -->``. When the pages are built, the text comes in its place.
"""
