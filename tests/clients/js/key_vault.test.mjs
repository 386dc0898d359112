// Secrets and their versions: Key Vault's responses as seen by `@azure/keyvault-secrets`.

import assert from 'node:assert/strict';
import test from 'node:test';

import {
  all, client, endpoints, innerCode, rawVault, refusal, secrets, vaultUrl, GRAPH_SCOPE, VAULT_SCOPE,
} from './sandbox.mjs';

const vault = secrets();

const challenge = new RegExp(
  `^Bearer authorization="https://[^"]+/${endpoints.tenant_id}", resource="https://vault\\.azure\\.net"$`,
);

test('a request without a token is challenged before any other check', async () => {
  for (const request of [{}, { method: 'PUT' }, { method: 'PUT', body: 'not JSON' }]) {
    const { status, headers, body } = await rawVault('/secrets/challenged?api-version=7.4', request);
    assert.equal(status, 401);
    assert.match(headers.get('www-authenticate'), challenge);
    assert.deepEqual(body, {
      error: { code: 'Unauthorized', message: 'AKV10000: Request is missing a Bearer or PoP token.' },
    });
  }
});

test('the client learns tenant and scope from the challenge, and succeeds', async () => {
  const asked = [];
  const recorder = {
    getToken: (scopes, options) => {
      asked.push({ scopes: [scopes].flat(), tenantId: options.tenantId });
      return client.getToken(scopes, options);
    },
  };
  const { value } = await secrets('vault-1', {}, recorder).setSecret('learned', 'text');
  assert.equal(value, 'text');
  assert.deepEqual(asked, [{ scopes: [VAULT_SCOPE], tenantId: endpoints.tenant_id }]);
});

test('a token for another audience is refused with 401 and AKV10022', async () => {
  const { token } = await client.getToken(GRAPH_SCOPE);
  const { status, headers, body } = await rawVault('/secrets?api-version=7.4', { token });
  assert.equal(status, 401);
  assert.match(headers.get('www-authenticate'), challenge);
  assert.match(body.error.message, /^AKV10022: Invalid audience\. Expected https:\/\/vault\.azure\.net .*found: https:\/\/graph\.microsoft\.com/);
});

test('a secret is set and read, the latest and each version', async () => {
  const first = await vault.setSecret('plain', 'one');
  const second = await vault.setSecret('plain', 'two');
  assert.match(first.properties.version, /^[0-9a-f]{32}$/);
  assert.equal(first.properties.id, `${vaultUrl('vault-1')}/secrets/plain/${first.properties.version}`);
  assert.equal((await vault.getSecret('plain')).properties.version, second.properties.version);
  assert.equal((await vault.getSecret('plain', { version: first.properties.version })).value, 'one');
  assert.equal((await vault.getSecret('plain', { version: second.properties.version })).value, 'two');
});

test('a secret returns everything that was set on it', async () => {
  const [notBefore, expiresOn] = [new Date('2030-01-01T00:00:00Z'), new Date('2031-01-01T00:00:00Z')];
  const tags = { CredentialId: 'one', Team: 'payments' };
  await vault.setSecret('complete', 'text', { contentType: 'text/plain', enabled: true, tags, notBefore, expiresOn });
  const { value, properties } = await vault.getSecret('complete');
  assert.equal(value, 'text');
  assert.equal(properties.contentType, 'text/plain');
  assert.deepEqual(properties.tags, tags);
  assert.deepEqual([properties.notBefore, properties.expiresOn], [notBefore, expiresOn]);
  assert.equal(properties.enabled, true);
  assert.equal(properties.recoveryLevel, 'Recoverable+Purgeable');
  assert.equal(properties.recoverableDays, 90);
});

test('times have a resolution of one second', async () => {
  const { properties } = await vault.setSecret('seconds', 'text');
  assert.equal(properties.createdOn.getTime() % 1000, 0);
  assert.equal(properties.updatedOn.getTime() % 1000, 0);
});

test('a PUT inherits neither tags nor content type nor attributes', async () => {
  const expiresOn = new Date('2031-01-01T00:00:00Z');
  await vault.setSecret('heir', 'one', { contentType: 'text/plain', tags: { Team: 'payments' }, expiresOn, enabled: false });
  const { properties } = await vault.setSecret('heir', 'two');
  assert.deepEqual(
    [properties.tags, properties.contentType, properties.expiresOn, properties.enabled],
    [undefined, undefined, undefined, true],
  );
});

test('a PATCH with tags replaces the whole map', async () => {
  const { properties } = await vault.setSecret('replaced', 'text', { tags: { Team: 'payments', Old: 'yes' } });
  const patched = await vault.updateSecretProperties('replaced', properties.version, { tags: { New: 'yes' } });
  assert.deepEqual(patched.tags, { New: 'yes' });
  assert.deepEqual((await vault.getSecret('replaced')).properties.tags, { New: 'yes' });
});

test('a PATCH leaves what it does not name', async () => {
  const expiresOn = new Date('2031-01-01T00:00:00Z');
  const options = { contentType: 'text/plain', tags: { Team: 'payments' }, expiresOn };
  const { properties } = await vault.setSecret('left', 'text', options);
  const patched = await vault.updateSecretProperties('left', properties.version, { contentType: 'text/html' });
  assert.equal(patched.contentType, 'text/html');
  assert.deepEqual([patched.tags, patched.expiresOn, patched.enabled], [options.tags, expiresOn, true]);
  assert.equal((await vault.getSecret('left')).value, 'text');
});

test('a PATCH answers without the value', async () => {
  const { properties } = await vault.setSecret('silent', 'text');
  const { token } = await client.getToken(VAULT_SCOPE);
  const { status, body } = await rawVault(`/secrets/silent/${properties.version}?api-version=7.4`, {
    method: 'PATCH', token, body: '{"tags":{"a":"b"}}', headers: { 'content-type': 'application/json' },
  });
  assert.equal(status, 200);
  assert.deepEqual(Object.keys(body).sort(), ['attributes', 'id', 'tags']);
});

test('an old version can be tagged and disabled', async () => {
  const { properties } = await vault.setSecret('aged', 'one');
  await vault.setSecret('aged', 'two');
  await vault.updateSecretProperties('aged', properties.version, { tags: { Quarantined: 'yes' }, enabled: false });
  const versions = await all(vault.listPropertiesOfSecretVersions('aged'));
  const old = versions.find((found) => found.version === properties.version);
  assert.deepEqual([old.tags, old.enabled], [{ Quarantined: 'yes' }, false]);
  assert.equal((await vault.getSecret('aged')).value, 'two');
});

test('a disabled version is refused with 403 and SecretDisabled', async () => {
  const { properties } = await vault.setSecret('disabled', 'text');
  await vault.updateSecretProperties('disabled', properties.version, { enabled: false });
  for (const options of [{}, { version: properties.version }]) {
    const error = await refusal(vault.getSecret('disabled', options));
    assert.equal(error.name, 'RestError');
    assert.equal(error.statusCode, 403);
    assert.equal(error.code, 'Forbidden');
    assert.equal(error.message, 'Operation get is not allowed on a disabled secret.');
    assert.equal(innerCode(error), 'SecretDisabled');
  }
  await vault.updateSecretProperties('disabled', properties.version, { enabled: true });
  assert.equal((await vault.getSecret('disabled')).value, 'text');
});

test('an unknown secret and an unknown version are refused with 404 and SecretNotFound', async () => {
  await vault.setSecret('known', 'text');
  const version = '0'.repeat(32);
  const nowhere = [vault.getSecret('unknown'), vault.getSecret('known', { version }),
    vault.updateSecretProperties('known', version, { enabled: true })];
  for (const error of await Promise.all(nowhere.map(refusal))) {
    assert.equal(error.name, 'RestError');
    assert.equal(error.statusCode, 404);
    assert.equal(error.code, 'SecretNotFound');
    assert.match(error.details.error.message, /^A secret with \(name\/id\) .+ was not found in this key vault\./);
  }
  const unlisted = await refusal(all(vault.listPropertiesOfSecretVersions('unknown')));
  assert.deepEqual([unlisted.statusCode, unlisted.code], [404, 'SecretNotFound']);
});

test('a secret outside of its dates can be read', async () => {
  await vault.setSecret('past', 'text', { expiresOn: new Date('2001-01-01T00:00:00Z') });
  await vault.setSecret('future', 'text', { notBefore: new Date('2101-01-01T00:00:00Z') });
  assert.equal((await vault.getSecret('past')).value, 'text');
  assert.equal((await vault.getSecret('future')).value, 'text');
});

test('names ignore case', async () => {
  const { properties } = await vault.setSecret('Mixed-Case', 'text');
  assert.equal((await vault.getSecret('mixed-case')).properties.version, properties.version);
  assert.equal((await vault.getSecret('MIXED-CASE', { version: properties.version.toUpperCase() })).value, 'text');
});

test('an invalid secret name is refused with 400 and BadParameter', async () => {
  for (const name of ['under_score', 'd.t', 'x'.repeat(128)]) {
    const error = await refusal(vault.setSecret(name, 'text'));
    assert.equal(error.statusCode, 400);
    assert.equal(error.code, 'BadParameter');
    assert.match(error.message, /^The request URI contains an invalid name: /);
  }
  assert.ok(await vault.setSecret('x'.repeat(127), 'text'));
});

test('the limits of value, content type and tags are those of Key Vault', async () => {
  const tags = (count) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`tag-${n}`, 'x']));
  const within = [['v'.repeat(25_000), {}], ['v', { contentType: 'c'.repeat(255) }], ['v', { tags: tags(15) }],
    ['v', { tags: { ['n'.repeat(256)]: 'x'.repeat(256) } }]];
  for (const [value, options] of within) await vault.setSecret('limits', value, options);
  const beyond = [['v'.repeat(26_000), {}], ['v', { contentType: 'c'.repeat(256) }], ['v', { tags: tags(16) }],
    ['v', { tags: { ['n'.repeat(600)]: 'x' } }], ['v', { tags: { n: 'x'.repeat(600) } }]];
  for (const [value, options] of beyond) {
    const error = await refusal(vault.setSecret('limits', value, options));
    assert.equal(error.statusCode, 400);
    assert.equal(error.code, 'BadParameter');
  }
});

test('each documented api-version is accepted and any other is refused', async () => {
  await vault.setSecret('versions', 'text');
  for (const serviceVersion of ['7.2', '7.3', '7.4', '7.5', '7.6', '2025-07-01', '2026-04-01']) {
    assert.equal((await secrets('vault-1', { serviceVersion }).getSecret('versions')).value, 'text');
  }
  const error = await refusal(secrets('vault-1', { serviceVersion: '1999-01-01' }).getSecret('versions'));
  assert.equal(error.statusCode, 400);
  const { token } = await client.getToken(VAULT_SCOPE);
  assert.equal((await rawVault('/secrets/versions', { token })).status, 400);
});

test('a response has the headers of Key Vault, and the request id of the client', async () => {
  const { headers } = await rawVault('/secrets?api-version=7.4', { headers: { 'x-ms-client-request-id': 'mine' } });
  for (const name of ['x-ms-keyvault-region', 'x-ms-keyvault-service-version', 'x-ms-request-id', 'date']) {
    assert.ok(headers.get(name), name);
  }
  assert.equal(headers.get('x-ms-client-request-id'), 'mine');
});

test('an operation that is not modelled answers 501', async () => {
  const { token } = await client.getToken(VAULT_SCOPE);
  const { status, body } = await rawVault('/keys?api-version=7.4', { token });
  assert.equal(status, 501);
  assert.equal(body.error.code, 'NotModelledBySandbox');
});
