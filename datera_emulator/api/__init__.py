# SPDX-License-Identifier: Apache-2.0
"""The shape of requests and of answers, whatever they are about."""
