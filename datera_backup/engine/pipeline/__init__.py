# SPDX-License-Identifier: Apache-2.0
"""Threads, queues and buffers that bytes pass through, whatever is done with them."""
