"""The sandbox's certificates, as strictly as Python 3.13 and later check them by default."""

import socket
import ssl
import unittest
from urllib.parse import urlsplit

from sandbox import DIRECTORY, ENDPOINTS, PATIENCE


class Certificates(unittest.TestCase):
    def test_a_strict_client_trusts_the_certificates(self):
        context = ssl.create_default_context(cafile=str(DIRECTORY / "ca.pem"))
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        entra = urlsplit(ENDPOINTS["authority"])
        with socket.create_connection((entra.hostname, entra.port), PATIENCE) as plain:
            with context.wrap_socket(plain, server_hostname=entra.hostname) as secured:
                self.assertTrue(secured.getpeercert())
