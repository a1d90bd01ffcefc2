# SPDX-License-Identifier: Apache-2.0
"""The pictures of the pages: ``python -m pictures`` in this folder's parent draws them anew."""
