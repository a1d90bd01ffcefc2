# SPDX-License-Identifier: Apache-2.0
"""Whether the tests hold the code: small mistakes are made in it, and a test should find each."""
