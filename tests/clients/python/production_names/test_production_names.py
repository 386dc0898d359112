"""Azure's own names: each client is created as documented, without any endpoint option."""

import json
import os
import unittest
from pathlib import Path

import requests
from azure.identity import ClientSecretCredential
from azure.keyvault.secrets import SecretClient

SCOPE = "https://graph.microsoft.com/.default"
ENDPOINTS = json.loads((Path(os.environ["SANDBOX_DIR"]) / "endpoints.json").read_text())
CLIENT = ENDPOINTS["client"]
CREDENTIAL = ClientSecretCredential(ENDPOINTS["tenant_id"], CLIENT["client_id"], CLIENT["client_secret"])


class ProductionNames(unittest.TestCase):
    def test_an_unmodified_azure_identity_signs_in(self):
        self.assertTrue(CREDENTIAL.get_token(SCOPE).token)

    def test_an_unmodified_azure_keyvault_secrets_sets_gets_and_lists_a_secret(self):
        vault = SecretClient("https://vault-1.vault.azure.net", CREDENTIAL)
        made = vault.set_secret("under-its-own-name", "text")
        identifier = f"https://vault-1.vault.azure.net/secrets/under-its-own-name/{made.properties.version}"
        self.assertEqual(made.id, identifier)
        self.assertEqual(vault.get_secret("under-its-own-name").value, "text")
        names = [found.name for found in vault.list_properties_of_secrets(max_page_size=1)]
        self.assertIn("under-its-own-name", names)
        self.assertGreater(len(names), 1)

    def test_graph_adds_a_password_under_its_own_name(self):
        headers = {"authorization": f"Bearer {CREDENTIAL.get_token(SCOPE).token}"}
        applications = "https://graph.microsoft.com/v1.0/applications"
        found = requests.get(applications, headers=headers, timeout=30).json()["value"][0]
        url = f"{applications}/{found['id']}/addPassword"
        made = requests.post(url, headers=headers, json={}, timeout=30).json()
        self.assertEqual(len(made["secretText"]), 40)
