// Lists that are longer than a page: the pagers of `@azure/keyvault-secrets` follow `nextLink` verbatim.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';

import { all, client, rawVault, secrets, vaultUrl, VAULT_SCOPE } from './sandbox.mjs';

const VAULT = 'vault-2';
const MANY = 60;
const vault = secrets(VAULT);
const names = Array.from({ length: MANY }, (_, n) => `listed-${n}`);
const versions = [];

before(async () => {
  // Sequential, because before its first challenge this client mixes up the bodies of parallel requests.
  for (const name of names) await vault.setSecret(name, 'text', { tags: { Name: name } });
  for (let n = 0; n < MANY; n += 1) {
    versions.push((await vault.setSecret('many-versions', `text ${n}`)).properties.version);
  }
});

const sorted = (texts) => [...texts].sort();

test('all secrets are listed, each exactly once, over the pages', async () => {
  const listed = (await all(vault.listPropertiesOfSecrets())).map(({ name }) => name);
  assert.deepEqual(sorted(listed.filter((name) => name.startsWith('listed-'))), sorted(names));
});

test('all versions are listed, each exactly once, over the pages', async () => {
  const listed = (await all(vault.listPropertiesOfSecretVersions('many-versions'))).map(({ version }) => version);
  assert.deepEqual(sorted(listed), sorted(versions));
});

test('a page has 25 items by default', async () => {
  const pages = await all(vault.listPropertiesOfSecretVersions('many-versions').byPage());
  assert.deepEqual(pages.map((page) => page.length), [25, 25, 10]);
});

test('maxresults makes pages smaller, also those after the first', async () => {
  const pages = await all(vault.listPropertiesOfSecretVersions('many-versions').byPage({ maxPageSize: 7 }));
  assert.deepEqual(pages.map((page) => page.length), [7, 7, 7, 7, 7, 7, 7, 7, 4]);
});

test('a list shows properties and never a value', async () => {
  const { token } = await client.getToken(VAULT_SCOPE);
  const list = await rawVault('/secrets?api-version=7.4&maxresults=5', { token, vault: VAULT });
  for (const item of list.body.value) {
    assert.equal(item.value, undefined);
    assert.match(item.id, /\/secrets\/[^/]+$/);
    assert.ok(item.attributes.created);
  }
  const of = await rawVault('/secrets/many-versions/versions?api-version=7.4', { token, vault: VAULT });
  for (const item of of.body.value) {
    assert.equal(item.value, undefined);
    assert.match(item.id, /\/secrets\/many-versions\/[0-9a-f]{32}$/);
  }
});

test('a next link repeats maxresults and has an unencoded $skiptoken, and the last page has none', async () => {
  const { token } = await client.getToken(VAULT_SCOPE);
  const path = '/secrets/many-versions/versions?api-version=7.4&maxresults=25';
  let { body } = await rawVault(path, { token, vault: VAULT });
  const links = [];
  while (body.nextLink) {
    links.push(body.nextLink);
    const answer = await fetch(body.nextLink, { headers: { authorization: `Bearer ${token}` } });
    body = await answer.json();
  }
  assert.equal(links.length, 2);
  for (const link of links) {
    assert.ok(link.startsWith(`${vaultUrl(VAULT)}/secrets/many-versions/versions?`), link);
    assert.match(link, /[?&]\$skiptoken=[^&]+/);
    assert.match(link, /[?&]maxresults=25(&|$)/);
  }
});

test('a next link needs a token as well', async () => {
  const { token } = await client.getToken(VAULT_SCOPE);
  const { body } = await rawVault('/secrets?api-version=7.4&maxresults=5', { token, vault: VAULT });
  assert.equal((await fetch(body.nextLink)).status, 401);
});

test('maxresults beyond 25 is refused with 400', async () => {
  const { token } = await client.getToken(VAULT_SCOPE);
  for (const size of ['0', '26', 'many']) {
    const { status, body } = await rawVault(`/secrets?api-version=7.4&maxresults=${size}`, { token, vault: VAULT });
    assert.equal(status, 400);
    assert.equal(body.error.code, 'BadParameter');
  }
});
