# SPDX-License-Identifier: Apache-2.0
"""How a backend is called: watched while it works, and fenced off once it has been given up."""
