"""Runs all tests of this directory. The clients' own log lines are left out: the tests say what is expected."""

import logging
import unittest

logging.disable(logging.CRITICAL)
unittest.main(module=None, argv=["python", "discover", "-v", "-s", __file__.rpartition("/")[0]])
