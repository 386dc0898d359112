"""Signing in without a secret: assertions of a trusted issuer, and managed identities found in the environment."""

import json
import os
import time
import unittest
from unittest import mock

import jwt
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientAssertionCredential, ManagedIdentityCredential
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox import ENDPOINTS, GRAPH_SCOPE, VAULT_SCOPE, claims, control, secrets

DAEMON = ENDPOINTS["daemon"]["client_id"]
ISSUER, SUBJECT, AUDIENCE = "https://issuer.example", "rekeyd", "api://AzureADTokenExchange"
APP_SERVICE = {
    "IDENTITY_ENDPOINT": ENDPOINTS["identity_endpoint"],
    "IDENTITY_HEADER": ENDPOINTS["identity_header"],
}
MACHINE = {"AZURE_POD_IDENTITY_AUTHORITY_HOST": ENDPOINTS["imds_endpoint"]}


class Assertions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.key = rsa.generate_private_key(65537, 2048)
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(cls.key.public_key()))
        trust = {"client_id": DAEMON, "issuer": ISSUER, "subject": SUBJECT, "audience": AUDIENCE}
        control("PUT", "federated-credentials", {**trust, "keys": {"keys": [{**public, "kid": "test"}]}})

    def token(self, **changes):
        now = int(time.time())
        body = {"iss": ISSUER, "sub": SUBJECT, "aud": AUDIENCE, "nbf": now - 60, "exp": now + 600, **changes}
        made = jwt.encode(body, self.key, "RS256", {"kid": "test"})
        identity = ClientAssertionCredential(
            ENDPOINTS["tenant_id"], DAEMON, lambda: made, authority=ENDPOINTS["authority"],
            disable_instance_discovery=True,
        )
        return identity.get_token(GRAPH_SCOPE)

    def test_an_assertion_of_a_trusted_issuer_signs_in(self):
        self.assertEqual(claims(self.token())["appidacr"], "2")

    def test_an_assertion_for_another_subject_or_expired_is_refused(self):
        for changes, code in (({"sub": "other"}, 700213), ({"exp": int(time.time()) - 60}, 700024)):
            with self.assertRaisesRegex(ClientAuthenticationError, f"AADSTS{code}:"):
                self.token(**changes)


class ManagedIdentities(unittest.TestCase):
    def signed_in(self, variables: dict, **options) -> str:
        """Returns the client id of the identity in this environment, after it has read a secret."""
        with mock.patch.dict(os.environ, variables):
            identity = ManagedIdentityCredential(**options)
            self.assertEqual(secrets("vault-1", identity).get_secret("app-01").name, "app-01")
            return claims(identity.get_token(VAULT_SCOPE))["appid"]

    def test_app_service_returns_the_token_of_the_system_assigned_identity(self):
        self.assertEqual(self.signed_in(APP_SERVICE), DAEMON)

    def test_app_service_returns_the_token_of_a_user_assigned_identity(self):
        wanted = ENDPOINTS["client"]["client_id"]
        self.assertEqual(self.signed_in(APP_SERVICE, client_id=wanted), wanted)

    def test_the_metadata_service_returns_the_token_of_the_machines_identity(self):
        self.assertEqual(self.signed_in(MACHINE), DAEMON)

    def test_the_metadata_service_returns_the_token_of_a_user_assigned_identity(self):
        wanted = ENDPOINTS["client"]["client_id"]
        self.assertEqual(self.signed_in(MACHINE, client_id=wanted), wanted)

    def test_a_wrong_header_is_refused(self):
        with self.assertRaises(ClientAuthenticationError):
            self.signed_in({**APP_SERVICE, "IDENTITY_HEADER": "wrong"})
