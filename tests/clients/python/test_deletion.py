"""Soft delete, recovery, purge, backup and restore, with the pollers of `azure-keyvault-secrets`."""

import unittest
from datetime import timedelta

from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from sandbox import advance, secrets, vault_url

VAULT = secrets()

# The pollers don't wait: the test advances the sandbox's clock instead.
POLLING = {"_polling_interval": 0.01}


def settled() -> None:
    advance("1m")


def deleted(name: str):
    poller = VAULT.begin_delete_secret(name, **POLLING)
    settled()
    poller.wait(30)
    return poller.result()


class Deletion(unittest.TestCase):
    def conflict(self, name: str, inner: str) -> HttpResponseError:
        with self.assertRaises(ResourceExistsError) as caught:
            VAULT.set_secret(name, "again")
        error = caught.exception
        found = (error.status_code, error.error.code, error.error.innererror)
        self.assertEqual(found, (409, "Conflict", {"code": inner}))
        return error

    def test_a_deletion_continues_after_its_response_and_the_poller_sees_it_finish(self):
        VAULT.set_secret("goes", "text", tags={"Team": "payments"})
        poller = VAULT.begin_delete_secret("goes", **POLLING)
        with self.assertRaises(ResourceNotFoundError):
            VAULT.get_deleted_secret("goes")
        settled()
        poller.wait(30)
        self.assertEqual(VAULT.get_deleted_secret("goes").properties.tags, {"Team": "payments"})
        with self.assertRaises(ResourceNotFoundError):
            VAULT.get_secret("goes")

    def test_a_deleted_secret_has_its_recovery_id_and_its_purge_date(self):
        VAULT.set_secret("dated", "text")
        gone = deleted("dated")
        self.assertEqual(gone.recovery_id, f"{vault_url('vault-1')}/deletedsecrets/dated")
        self.assertEqual(gone.scheduled_purge_date - gone.deleted_date, timedelta(days=90))

    def test_a_name_that_is_being_deleted_is_refused_with_409(self):
        VAULT.set_secret("leaving", "text")
        VAULT.begin_delete_secret("leaving", **POLLING)
        self.conflict("leaving", "ObjectIsBeingDeleted")
        settled()

    def test_the_name_of_a_deleted_secret_is_refused_with_409(self):
        VAULT.set_secret("taken", "text")
        deleted("taken")
        error = self.conflict("taken", "ObjectIsDeletedButRecoverable")
        self.assertTrue(error.error.message.startswith("Secret taken is currently in a deleted but recoverable state"))

    def test_a_recovery_continues_after_its_response_and_restores_every_version(self):
        old = VAULT.set_secret("back", "one", tags={"Team": "payments"}).properties.version
        VAULT.set_secret("back", "two")
        deleted("back")
        poller = VAULT.begin_recover_deleted_secret("back", **POLLING)
        self.conflict("back", "ObjectIsBeingRecovered")
        settled()
        poller.wait(30)
        first = VAULT.get_secret("back", old)
        self.assertEqual((first.value, first.properties.tags), ("one", {"Team": "payments"}))
        self.assertEqual(VAULT.get_secret("back").value, "two")

    def test_a_purge_frees_the_name(self):
        VAULT.set_secret("purged", "text")
        deleted("purged")
        VAULT.purge_deleted_secret("purged")
        settled()
        with self.assertRaises(ResourceNotFoundError):
            VAULT.get_deleted_secret("purged")
        self.assertEqual(VAULT.set_secret("purged", "again").value, "again")

    def test_all_deleted_secrets_are_listed_each_exactly_once_over_the_pages(self):
        other, names = secrets("vault-2"), sorted(f"deleted-{n}" for n in range(30))
        for name in names:
            other.set_secret(name, "text")
            other.begin_delete_secret(name, **POLLING)
        settled()
        listed = sorted(found.name for found in other.list_deleted_secrets())
        self.assertEqual([name for name in listed if name in names], names)

    def test_a_backup_restores_every_version_once_the_secret_is_purged(self):
        old = VAULT.set_secret("saved", "one", tags={"Team": "payments"}).properties.version
        VAULT.set_secret("saved", "two")
        backup = VAULT.backup_secret("saved")
        with self.assertRaises(ResourceExistsError):
            VAULT.restore_secret_backup(backup)
        deleted("saved")
        VAULT.purge_deleted_secret("saved")
        settled()
        self.assertEqual(VAULT.restore_secret_backup(backup).name, "saved")
        first = VAULT.get_secret("saved", old)
        self.assertEqual((first.value, first.properties.tags), ("one", {"Team": "payments"}))
        self.assertEqual(VAULT.get_secret("saved").value, "two")
