// One manual rotation from start to end: an application and its secret, with all clients together.

import assert from 'node:assert/strict';
import test from 'node:test';

import { advance, all, application, credential, graph, innerCode, now, propagated, refusal, secrets, signIn, GRAPH_SCOPE } from './sandbox.mjs';

const vault = secrets();

test('a secret and its application live through a rotation', async (t) => {
  const { id, appId, passwordCredentials } = await application('app-13');
  const old = await vault.getSecret('app-13');
  let made;
  let published;

  await t.test('at first the current version names a credential that signs in', async () => {
    assert.equal(old.properties.tags.CredentialId, passwordCredentials[0].keyId);
    assert.equal(old.properties.expiresOn.getTime(), new Date(passwordCredentials[0].endDateTime).getTime());
    assert.ok((await credential(appId, old.value).getToken(GRAPH_SCOPE)).token);
  });

  await t.test('a new credential is issued and signs in beside the old one', async () => {
    const end = new Date((await now()).getTime() + 90 * 86_400_000);
    const passwordCredential = { displayName: 'by hand', endDateTime: end.toISOString() };
    made = await graph().api(`/applications/${id}/addPassword`).post({ passwordCredential });
    await propagated();
    assert.ok((await credential(appId, made.secretText).getToken(GRAPH_SCOPE)).token);
    assert.ok((await credential(appId, old.value).getToken(GRAPH_SCOPE)).token);
  });

  await t.test('it is published in a new version', async () => {
    const options = { tags: { CredentialId: made.keyId }, expiresOn: new Date(made.endDateTime) };
    published = await vault.setSecret('app-13', made.secretText, options);
    const current = await vault.getSecret('app-13');
    assert.equal(current.value, made.secretText);
    assert.equal(current.properties.version, published.properties.version);
    const versions = await all(vault.listPropertiesOfSecretVersions('app-13'));
    assert.deepEqual(versions.map(({ version }) => version).sort(),
      [old.properties.version, published.properties.version].sort());
  });

  await t.test('the old credential is retired after the overlap', async () => {
    await advance('7d');
    const keyId = old.properties.tags.CredentialId;
    await graph().api(`/applications/${id}/removePassword`).post({ keyId });
    await vault.updateSecretProperties('app-13', old.properties.version, { enabled: false });
    await propagated();
    assert.equal((await refusal(signIn(appId, old.value))).errorNo, 7000215);
    const error = await refusal(vault.getSecret('app-13', { version: old.properties.version }));
    assert.equal(innerCode(error), 'SecretDisabled');
  });

  await t.test('a consumer that reads the current version signs in', async () => {
    const { value } = await vault.getSecret('app-13');
    assert.ok((await credential(appId, value).getToken(GRAPH_SCOPE)).token);
  });
});
