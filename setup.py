# SPDX-License-Identifier: Apache-2.0
"""Kept for ``python setup.py sdist bdist_wheel``; everything is said in setup.cfg."""

from setuptools import setup

setup()
