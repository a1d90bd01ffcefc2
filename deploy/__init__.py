# SPDX-License-Identifier: Apache-2.0
"""What installations beside pip's need: recipes, and files that are generated from the sources."""
