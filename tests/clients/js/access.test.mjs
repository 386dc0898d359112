// Access to a vault: roles, network rules and quotas.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';

import { advance, all, client, control, innerCode, rawVault, refusal, secrets, unprivileged, VAULT_SCOPE } from './sandbox.mjs';

const SCOPE = { vault: 'vault-1' };
let visitor;
let vault;

before(async () => {
  await secrets().setSecret('guarded', 'text');
  visitor = await unprivileged('app-09');
  vault = secrets('vault-1', {}, visitor.identity);
});

/** Runs `action` while the visitor has a role on the vault. */
async function as(role, action) {
  const assignment = { principal: visitor.principal, scope: SCOPE, role };
  await control('PUT', 'roles', assignment);
  try {
    return await action();
  } finally {
    await control('DELETE', 'roles', assignment);
  }
}

async function forbidden(promise) {
  const error = await refusal(promise);
  assert.deepEqual([error.statusCode, error.code, innerCode(error)], [403, 'Forbidden', 'ForbiddenByRbac']);
  return error;
}

test('an identity without a role is refused with 403 and ForbiddenByRbac, which names it and the action', async () => {
  const error = await forbidden(vault.getSecret('guarded'));
  const { message } = error.details.error;
  assert.match(message, /^Caller is not authorized to perform action on resource\.\r\nIf role assignments, /);
  assert.ok(message.includes(`Caller: appid=${visitor.appId};oid=${visitor.principal};iss=https://sts.windows.net/`));
  assert.match(message, /Action: 'Microsoft\.KeyVault\/vaults\/secrets\/getSecret\/action'/);
  await forbidden(vault.setSecret('guarded', 'other'));
});

test('a Secrets User reads and does not write', async () => {
  await as('Key Vault Secrets User', async () => {
    assert.equal((await vault.getSecret('guarded')).value, 'text');
    await forbidden(vault.setSecret('guarded', 'other'));
  });
});

test('a Reader lists and does not read', async () => {
  await as('Key Vault Reader', async () => {
    assert.ok((await all(vault.listPropertiesOfSecretVersions('guarded'))).length > 0);
    await forbidden(vault.getSecret('guarded'));
  });
});

test('a Secrets Officer writes and deletes, and does not purge', async () => {
  await as('Key Vault Secrets Officer', async () => {
    await vault.setSecret('officers', 'text');
    await vault.beginDeleteSecret('officers', { intervalInMs: 1 });
    await advance('1m');
    await forbidden(vault.purgeDeletedSecret('officers'));
  });
});

test('a role on one vault is none on another', async () => {
  await as('Key Vault Administrator', () => forbidden(secrets('vault-2', {}, visitor.identity).setSecret('guarded', 'text')));
});

test('a vault behind a firewall or without public network access answers 403', async () => {
  const cases = { firewall: 'ForbiddenByFirewall', private: 'ForbiddenByConnection' };
  for (const [network, inner] of Object.entries(cases)) {
    await control('PUT', 'vaults/vault-1', { network });
    const error = await refusal(secrets().getSecret('guarded'));
    await control('PUT', 'vaults/vault-1', { network: 'open' });
    assert.deepEqual([error.statusCode, error.code, innerCode(error)], [403, 'Forbidden', inner]);
  }
});

test('a vault with access policies answers AccessDenied without a policy', async () => {
  await control('PUT', 'vaults/vault-1', { access_model: 'access_policies' });
  const error = await refusal(vault.getSecret('guarded'));
  await control('PUT', 'vaults/vault-1', { access_model: 'rbac' });
  assert.deepEqual([error.statusCode, error.code, innerCode(error)], [403, 'Forbidden', 'AccessDenied']);
  assert.match(error.details.error.message, /^Access denied\. Caller was not found on any access policy\./);
});

test('a vault takes 300 sets in ten seconds and answers the next with 429 and Throttled', async () => {
  const { token } = await client.getToken(VAULT_SCOPE);
  const put = { method: 'PUT', token, body: '{"value":"text"}', vault: 'vault-3', headers: { 'content-type': 'application/json' } };
  await advance('10s');
  let taken = 0;
  for (let round = 0; round < 31; round += 1) {
    const answers = await Promise.all(Array.from({ length: 10 }, () => rawVault('/secrets/busy?api-version=7.4', put)));
    taken += answers.filter(({ status }) => status === 200).length;
  }
  assert.equal(taken, 300);
  const error = await refusal(secrets('vault-3').setSecret('busy', 'text'));
  assert.equal(error.name, 'RestError');
  assert.deepEqual([error.statusCode, error.code], [429, 'Throttled']);
  assert.match(error.details.error.message, /^Request was not processed because too many requests were received\. Reason: VaultRequestTypeLimitReached/);
  assert.equal((await secrets('vault-3').getSecret('busy')).value, 'text');
  await advance('10s');
  assert.ok(await secrets('vault-3').setSecret('busy', 'text'));
});
