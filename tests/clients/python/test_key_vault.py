"""Secrets and their versions: Key Vault's responses as seen by `azure-keyvault-secrets`."""

import unittest
from datetime import datetime, timezone

from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError

from sandbox import CLIENT, ENDPOINTS, GRAPH_SCOPE, VAULT_SCOPE, raw_vault, secrets, vault_url

VAULT = secrets()
LATER = datetime(2031, 1, 1, tzinfo=timezone.utc)
CHALLENGE = f'^Bearer authorization="https://[^"]+/{ENDPOINTS["tenant_id"]}", resource="https://vault\\.azure\\.net"$'


class Recorder:
    """A credential that records the requested scopes."""

    def __init__(self):
        self.asked = []

    def get_token(self, *scopes, **options):
        self.asked.append((scopes, options.get("tenant_id")))
        return CLIENT.get_token(*scopes, **options)


class KeyVault(unittest.TestCase):
    def test_a_request_without_a_token_is_challenged_before_any_other_check(self):
        for request in ({}, {"method": "PUT"}, {"method": "PUT", "data": "not JSON"}):
            answer = raw_vault("/secrets/challenged?api-version=7.4", **request)
            self.assertEqual(answer.status_code, 401)
            self.assertRegex(answer.headers["www-authenticate"], CHALLENGE)
            message = "AKV10000: Request is missing a Bearer or PoP token."
            self.assertEqual(answer.json(), {"error": {"code": "Unauthorized", "message": message}})

    def test_the_client_learns_tenant_and_scope_from_the_challenge_and_succeeds(self):
        recorder = Recorder()
        # A separate vault, because challenges are cached by address for the whole process.
        self.assertEqual(secrets("vault-3", recorder).set_secret("learned", "text").value, "text")
        self.assertEqual(recorder.asked, [((VAULT_SCOPE,), ENDPOINTS["tenant_id"])])

    def test_a_token_for_another_audience_is_refused_with_401_and_akv10022(self):
        answer = raw_vault("/secrets?api-version=7.4", CLIENT.get_token(GRAPH_SCOPE).token)
        self.assertEqual(answer.status_code, 401)
        self.assertRegex(answer.headers["www-authenticate"], CHALLENGE)
        self.assertIn("AKV10022: Invalid audience.", answer.json()["error"]["message"])

    def test_a_token_for_another_audience_is_an_authentication_error_of_the_client(self):
        class Elsewhere:
            def get_token(self, *_scopes, **_options):
                return CLIENT.get_token(GRAPH_SCOPE)

        with self.assertRaises(ClientAuthenticationError) as caught:
            secrets("vault-1", Elsewhere()).get_secret("any")
        self.assertEqual(caught.exception.status_code, 401)

    def test_a_secret_is_set_and_read_the_latest_and_each_version(self):
        first, second = VAULT.set_secret("plain", "one"), VAULT.set_secret("plain", "two")
        self.assertRegex(first.properties.version, "^[0-9a-f]{32}$")
        self.assertEqual(first.id, f"{vault_url('vault-1')}/secrets/plain/{first.properties.version}")
        self.assertEqual(VAULT.get_secret("plain").properties.version, second.properties.version)
        self.assertEqual(VAULT.get_secret("plain", first.properties.version).value, "one")
        self.assertEqual(VAULT.get_secret("plain", second.properties.version).value, "two")

    def test_a_secret_returns_everything_that_was_set_on_it(self):
        tags, not_before = {"CredentialId": "one", "Team": "payments"}, datetime(2030, 1, 1, tzinfo=timezone.utc)
        VAULT.set_secret(
            "complete", "text", enabled=True, tags=tags, content_type="text/plain", not_before=not_before,
            expires_on=LATER,
        )
        found = VAULT.get_secret("complete")
        properties = found.properties
        self.assertEqual((found.value, properties.content_type), ("text", "text/plain"))
        self.assertEqual((properties.tags, properties.enabled), (tags, True))
        self.assertEqual((properties.not_before, properties.expires_on), (not_before, LATER))
        self.assertEqual((properties.recovery_level, properties.recoverable_days), ("Recoverable+Purgeable", 90))
        self.assertEqual(properties.created_on.microsecond, 0)

    def test_a_put_inherits_neither_tags_nor_content_type_nor_attributes(self):
        VAULT.set_secret(
            "heir", "one", tags={"Team": "payments"}, content_type="text/plain", expires_on=LATER, enabled=False
        )
        heir = VAULT.set_secret("heir", "two").properties
        self.assertFalse(heir.tags)
        self.assertEqual((heir.content_type, heir.expires_on, heir.enabled), (None, None, True))

    def test_a_patch_with_tags_replaces_the_whole_map(self):
        version = VAULT.set_secret("replaced", "text", tags={"Team": "payments", "Old": "yes"}).properties.version
        patched = VAULT.update_secret_properties("replaced", version, tags={"New": "yes"})
        self.assertEqual(patched.tags, {"New": "yes"})
        self.assertEqual(VAULT.get_secret("replaced").properties.tags, {"New": "yes"})

    def test_a_patch_leaves_what_it_does_not_name(self):
        tags = {"Team": "payments"}
        set_ = VAULT.set_secret("left", "text", tags=tags, content_type="text/plain", expires_on=LATER)
        patched = VAULT.update_secret_properties("left", set_.properties.version, content_type="text/html")
        self.assertEqual((patched.content_type, patched.expires_on), ("text/html", LATER))
        self.assertEqual((patched.tags, patched.enabled), (tags, True))
        self.assertEqual(VAULT.get_secret("left").value, "text")

    def test_an_old_version_can_be_tagged_and_disabled(self):
        old = VAULT.set_secret("aged", "one").properties.version
        VAULT.set_secret("aged", "two")
        VAULT.update_secret_properties("aged", old, tags={"Quarantined": "yes"}, enabled=False)
        listed = {found.version: found for found in VAULT.list_properties_of_secret_versions("aged")}
        self.assertEqual((listed[old].tags, listed[old].enabled), ({"Quarantined": "yes"}, False))
        self.assertEqual(VAULT.get_secret("aged").value, "two")

    def test_a_disabled_version_is_refused_with_403_and_secret_disabled(self):
        version = VAULT.set_secret("disabled", "text").properties.version
        VAULT.update_secret_properties("disabled", version, enabled=False)
        for wanted in (None, version):
            with self.assertRaises(HttpResponseError) as caught:
                VAULT.get_secret("disabled", wanted)
            error = caught.exception
            self.assertEqual((error.status_code, error.error.code), (403, "Forbidden"))
            self.assertEqual(error.error.message, "Operation get is not allowed on a disabled secret.")
            self.assertEqual(error.error.innererror, {"code": "SecretDisabled"})
        VAULT.update_secret_properties("disabled", version, enabled=True)
        self.assertEqual(VAULT.get_secret("disabled").value, "text")

    def test_an_unknown_secret_and_an_unknown_version_are_not_found(self):
        VAULT.set_secret("known", "text")
        for name, version in (("unknown", None), ("known", "0" * 32)):
            with self.assertRaises(ResourceNotFoundError) as caught:
                VAULT.get_secret(name, version)
            self.assertEqual((caught.exception.status_code, caught.exception.error.code), (404, "SecretNotFound"))
            self.assertRegex(caught.exception.error.message, r"^A secret with \(name/id\) .+ was not found in this key")
        with self.assertRaises(ResourceNotFoundError):
            list(VAULT.list_properties_of_secret_versions("unknown"))

    def test_a_secret_outside_of_its_dates_can_be_read(self):
        VAULT.set_secret("past", "text", expires_on=datetime(2001, 1, 1, tzinfo=timezone.utc))
        VAULT.set_secret("future", "text", not_before=datetime(2101, 1, 1, tzinfo=timezone.utc))
        self.assertEqual(VAULT.get_secret("past").value, "text")
        self.assertEqual(VAULT.get_secret("future").value, "text")

    def test_an_invalid_name_is_refused_with_400_and_bad_parameter(self):
        for name in ("under_score", "d.t", "x" * 128):
            error = self.refused_parameter(name, "text")
            self.assertRegex(error.error.message, "^The request URI contains an invalid name: ")

    def test_the_limits_of_value_content_type_and_tags_are_those_of_key_vault(self):
        def tags(count):
            return {f"tag-{n}": "x" for n in range(count)}

        within = (("v" * 25_000, {}), ("v", {"content_type": "c" * 255}), ("v", {"tags": tags(15)}))
        for value, options in within:
            VAULT.set_secret("limits", value, **options)
        beyond = (("v" * 26_000, {}), ("v", {"content_type": "c" * 256}), ("v", {"tags": tags(16)}))
        for value, options in beyond:
            self.refused_parameter("limits", value, **options)

    def refused_parameter(self, name: str, value: str, **options) -> HttpResponseError:
        with self.assertRaises(HttpResponseError) as caught:
            VAULT.set_secret(name, value, **options)
        self.assertEqual((caught.exception.status_code, caught.exception.error.code), (400, "BadParameter"))
        return caught.exception


class Paging(unittest.TestCase):
    """Lists that are longer than a page: the pager follows `nextLink` verbatim."""

    @classmethod
    def setUpClass(cls):
        cls.vault = secrets("vault-2")
        cls.names = sorted(cls.vault.set_secret(f"listed-{n}", "text").name for n in range(60))
        put = [cls.vault.set_secret("many-versions", f"text {n}") for n in range(60)]
        cls.versions = sorted(secret.properties.version for secret in put)

    def list_versions(self, **options):
        return self.vault.list_properties_of_secret_versions("many-versions", **options)

    def test_all_secrets_are_listed_each_exactly_once_over_the_pages(self):
        names = [found.name for found in self.vault.list_properties_of_secrets()]
        self.assertEqual(sorted(name for name in names if name.startswith("listed-")), self.names)

    def test_all_versions_are_listed_each_exactly_once_over_the_pages(self):
        self.assertEqual(sorted(found.version for found in self.list_versions()), self.versions)

    def test_a_page_has_25_items_by_default(self):
        sizes = [len(list(page)) for page in self.list_versions().by_page()]
        self.assertEqual(sizes, [25, 25, 10])

    def test_maxresults_makes_pages_smaller_also_those_after_the_first(self):
        sizes = [len(list(page)) for page in self.list_versions(max_page_size=7).by_page()]
        self.assertEqual(sizes, [7] * 8 + [4])

    def test_a_listing_continues_from_a_continuation_token(self):
        pages = self.list_versions(max_page_size=20).by_page()
        first = [found.version for found in next(pages)]
        rest = self.list_versions().by_page(continuation_token=pages.continuation_token)
        listed = first + [found.version for page in rest for found in page]
        self.assertEqual(sorted(listed), self.versions)
