// Soft delete, recovery, purge, backup and restore, with the pollers of `@azure/keyvault-secrets`.

import assert from 'node:assert/strict';
import test from 'node:test';

import { advance, all, client, control, innerCode, now, rawVault, refusal, secrets, vaultUrl, VAULT_SCOPE } from './sandbox.mjs';

const vault = secrets();

/** The pollers don't wait: the test advances the sandbox's clock instead. */
const polling = { intervalInMs: 1 };
const settled = () => advance('1m');

async function deleted(name) {
  const poller = await vault.beginDeleteSecret(name, polling);
  await settled();
  return poller.pollUntilDone();
}

async function purged(name) {
  await vault.purgeDeletedSecret(name);
  await settled();
}

test('a deletion continues after its response, and the poller sees it finish', async () => {
  await vault.setSecret('goes', 'text', { tags: { Team: 'payments' } });
  const poller = await vault.beginDeleteSecret('goes', polling);
  assert.equal(poller.isDone(), false);
  assert.equal((await refusal(vault.getDeletedSecret('goes'))).statusCode, 404);
  assert.equal((await refusal(vault.getSecret('goes'))).code, 'SecretNotFound');
  await settled();
  const gone = await poller.pollUntilDone();
  assert.equal(gone.name, 'goes');
  assert.deepEqual((await vault.getDeletedSecret('goes')).properties.tags, { Team: 'payments' });
  assert.equal((await refusal(vault.getSecret('goes'))).code, 'SecretNotFound');
});

test('a deleted secret has its recovery id and its purge date', async () => {
  await vault.setSecret('dated', 'text');
  const before = await now();
  const { properties } = await deleted('dated');
  assert.equal(properties.recoveryId, `${vaultUrl('vault-1')}/deletedsecrets/dated`);
  assert.ok(Math.abs(properties.deletedOn - before) < 5_000, `${properties.deletedOn}`);
  assert.equal(properties.scheduledPurgeDate - properties.deletedOn, 90 * 86_400_000);
});

test('the name of a secret that is being deleted is refused with 409 and ObjectIsBeingDeleted', async () => {
  await vault.setSecret('leaving', 'text');
  await vault.beginDeleteSecret('leaving', polling);
  const error = await refusal(vault.setSecret('leaving', 'again'));
  assert.deepEqual([error.statusCode, error.code, innerCode(error)], [409, 'Conflict', 'ObjectIsBeingDeleted']);
  await settled();
});

test('the name of a deleted secret is refused with 409 and ObjectIsDeletedButRecoverable', async () => {
  await vault.setSecret('taken', 'text');
  await deleted('taken');
  const error = await refusal(vault.setSecret('taken', 'again'));
  assert.deepEqual([error.statusCode, error.code, innerCode(error)], [409, 'Conflict', 'ObjectIsDeletedButRecoverable']);
  assert.equal(error.details.error.message, `Secret taken is currently in a deleted but recoverable state, ${
    'and its name cannot be reused; in this state, the secret can only be recovered or purged.'}`);
});

test('a recovery continues after its response, and restores every version', async () => {
  const old = await vault.setSecret('back', 'one', { tags: { Team: 'payments' } });
  const current = await vault.setSecret('back', 'two');
  await deleted('back');
  const poller = await vault.beginRecoverDeletedSecret('back', polling);
  const error = await refusal(vault.setSecret('back', 'three'));
  assert.deepEqual([error.statusCode, innerCode(error)], [409, 'ObjectIsBeingRecovered']);
  await settled();
  const { version } = await poller.pollUntilDone();
  assert.equal(version, current.properties.version);
  const first = await vault.getSecret('back', { version: old.properties.version });
  assert.deepEqual([first.value, first.properties.tags], ['one', { Team: 'payments' }]);
  assert.equal((await all(vault.listPropertiesOfSecretVersions('back'))).length, 2);
  assert.equal((await refusal(vault.getDeletedSecret('back'))).statusCode, 404);
});

test('a purge answers 204 and frees the name', async () => {
  await vault.setSecret('purged', 'text');
  await deleted('purged');
  const { token } = await client.getToken(VAULT_SCOPE);
  const answer = await fetch(`${vaultUrl('vault-1')}/deletedsecrets/purged?api-version=7.4`, {
    method: 'DELETE', headers: { authorization: `Bearer ${token}` },
  });
  assert.equal(answer.status, 204);
  await settled();
  assert.equal((await refusal(vault.getDeletedSecret('purged'))).statusCode, 404);
  await vault.setSecret('purged', 'again');
  assert.equal((await all(vault.listPropertiesOfSecretVersions('purged'))).length, 1);
});

test('a deleted secret is purged automatically after its retention', async () => {
  const other = secrets('vault-3');
  await control('PUT', 'vaults/vault-3', { retention_days: 7 });
  const { properties } = await other.setSecret('forgotten', 'text');
  assert.deepEqual([properties.recoveryLevel, properties.recoverableDays], ['CustomizedRecoverable+Purgeable', 7]);
  await other.beginDeleteSecret('forgotten', polling);
  await advance('6d');
  assert.equal((await other.getDeletedSecret('forgotten')).name, 'forgotten');
  await advance('2d');
  assert.equal((await refusal(other.getDeletedSecret('forgotten'))).statusCode, 404);
});

test('all deleted secrets are listed, each exactly once, over the pages', async () => {
  const other = secrets('vault-2');
  const names = Array.from({ length: 30 }, (_, n) => `deleted-${n}`).sort();
  for (const name of names) {
    await other.setSecret(name, 'text');
    await other.beginDeleteSecret(name, polling);
  }
  await settled();
  const pages = await all(other.listDeletedSecrets().byPage({ maxPageSize: 25 }));
  assert.ok(pages.length > 1);
  assert.deepEqual(pages.flat().map(({ name }) => name).filter((name) => names.includes(name)).sort(), names);
  const left = await all(other.listPropertiesOfSecrets());
  assert.ok(left.every(({ name }) => !names.includes(name)));
});

test('a backup restores every version once the secret is purged', async () => {
  const old = await vault.setSecret('saved', 'one', { tags: { Team: 'payments' } });
  await vault.setSecret('saved', 'two');
  const backup = await vault.backupSecret('saved');
  assert.ok(!Buffer.from(backup).toString('latin1').includes('one'));
  const taken = await refusal(vault.restoreSecretBackup(backup));
  assert.deepEqual([taken.statusCode, taken.code], [409, 'Conflict']);
  await deleted('saved');
  await purged('saved');
  const restored = await vault.restoreSecretBackup(backup);
  assert.equal(restored.name, 'saved');
  assert.equal((await vault.getSecret('saved')).value, 'two');
  const first = await vault.getSecret('saved', { version: old.properties.version });
  assert.deepEqual([first.value, first.properties.tags], ['one', { Team: 'payments' }]);
});

test('a malformed backup is refused with 400 and BadParameter', async () => {
  const error = await refusal(vault.restoreSecretBackup(Buffer.from('no backup')));
  assert.deepEqual([error.statusCode, error.code], [400, 'BadParameter']);
});

test('a secret that is not deleted can be neither recovered nor purged', async () => {
  await vault.setSecret('alive', 'text');
  for (const request of [{ method: 'DELETE', path: '' }, { method: 'POST', path: '/recover' }]) {
    const { token } = await client.getToken(VAULT_SCOPE);
    const { status, body } = await rawVault(`/deletedsecrets/alive${request.path}?api-version=7.4`, { ...request, token });
    assert.deepEqual([status, body.error.code], [404, 'SecretNotFound']);
  }
});
