# SPDX-License-Identifier: Apache-2.0
"""What the build of the pages does beside Sphinx and its extensions."""
