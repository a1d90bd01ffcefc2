# SPDX-License-Identifier: Apache-2.0
"""How things stand: what metrics and the report are made of, read with a few queries."""
