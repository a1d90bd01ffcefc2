# SPDX-License-Identifier: Apache-2.0
"""Sending requests and receiving responses. Nothing here knows a cluster's resources."""
